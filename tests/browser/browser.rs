//! A browser with one tab, as a test moves it. It is watched all the time: a test that ends with an error in its
//! console fails, and so does one whose page or console tells a secret of its daemon.

use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::prelude::*;
use thirtyfour::{ChromeCapabilities, ChromiumLikeCapabilities, LoggingPrefsLogLevel};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::harness::{Daemon, LIMIT, Process, free_port};
use crate::secrets::Secrets;

/// The HTTP client wants to know who would encrypt, though nothing here is encrypted.
static PROVIDER: OnceLock<()> = OnceLock::new();

/// Browsers that run at the same time: each wants a core.
static SEATS: Semaphore = Semaphore::const_new(2);

/// How a browser is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) dark: bool,
    pub(crate) script: bool,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self { dark: false, script: true, width: 1280, height: 900 }
    }
}

/// A browser with one tab.
pub(crate) struct Browser {
    pub(crate) driver: WebDriver,
    url: String,
    secrets: Arc<Secrets>,
    _program: Process,
    _seat: SemaphorePermit<'static>,
}

impl Browser {
    /// Opens the first page of a daemon.
    pub(crate) async fn open(daemon: &Daemon) -> Self {
        Self::with(daemon, Setup::default()).await
    }

    pub(crate) async fn with(daemon: &Daemon, setup: Setup) -> Self {
        let seat = SEATS.acquire().await.unwrap();
        PROVIDER.get_or_init(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let program = Process::spawn(&mut command);
        let began = Instant::now();
        let driver = loop {
            match WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities(setup)).await {
                Ok(driver) => break driver,
                Err(error) => assert!(began.elapsed() < LIMIT, "the browser does not start: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let secrets = Arc::clone(&daemon.home.secrets);
        let browser = Self { driver, url: daemon.home.url(), secrets, _program: program, _seat: seat };
        if setup.dark {
            let feature = json!({ "name": "prefers-color-scheme", "value": "dark" });
            browser.devtools("Emulation.setEmulatedMedia", json!({ "features": [feature] })).await;
        }
        // A window cannot be as narrow as a phone.
        let size =
            json!({ "width": setup.width, "height": setup.height, "deviceScaleFactor": 1, "mobile": false });
        browser.devtools("Emulation.setDeviceMetricsOverride", size).await;
        browser.go("/").await;
        browser
    }

    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(command, parameters).await.unwrap()
    }

    /// The page as it stands, with what scripts have made of it; searched for secrets.
    pub(crate) async fn source(&self) -> String {
        let source = self.driver.source().await.unwrap();
        self.secrets.look("a page", source.as_bytes());
        source
    }

    /// Goes to a path of the daemon, from a page that is searched before it is gone.
    pub(crate) async fn go(&self, path: &str) {
        self.source().await;
        self.driver.goto(format!("{}{path}", self.url)).await.unwrap();
    }

    /// Path and query of where it is.
    pub(crate) async fn place(&self) -> String {
        let url = self.driver.current_url().await.unwrap();
        url.as_str().strip_prefix(&self.url).unwrap().to_owned()
    }

    /// What a script gives.
    pub(crate) async fn evaluate(&self, script: &str) -> Value {
        self.driver.execute(script, vec![]).await.unwrap().json().clone()
    }

    /// The first element that a CSS selector names, once there is one.
    pub(crate) async fn find(&self, selector: &str) -> WebElement {
        let found = self.when(selector, async || self.driver.find(By::Css(selector)).await.ok());
        found.await
    }

    /// How many elements a CSS selector names.
    pub(crate) async fn count(&self, selector: &str) -> usize {
        self.driver.find_all(By::Css(selector)).await.unwrap().len()
    }

    /// The text of an element, as it is shown.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap_or_default()
    }

    /// What it leads away from is searched first.
    pub(crate) async fn click(&self, selector: &str) {
        self.source().await;
        self.find(selector).await.click().await.unwrap_or_else(|error| panic!("click {selector}: {error}"));
    }

    /// Waits until the text of an element satisfies something.
    pub(crate) async fn until_text(&self, selector: &str, good: impl Fn(&str) -> bool) -> String {
        let look = async || Some(self.try_text(selector).await?).filter(|text| good(text));
        self.when(&format!("another text of {selector}"), look).await
    }

    async fn try_text(&self, selector: &str) -> Option<String> {
        self.driver.find(By::Css(selector)).await.ok()?.text().await.ok()
    }

    /// Waits until nothing is named by a CSS selector.
    pub(crate) async fn until_gone(&self, selector: &str) {
        self.when(&format!("no {selector}"), async || (self.count(selector).await == 0).then_some(())).await;
    }

    /// Waits until it is at a path and query.
    pub(crate) async fn until_at(&self, place: &str) {
        self.when(place, async || (self.place().await == place).then_some(())).await;
    }

    /// Waits until a script gives true.
    pub(crate) async fn until(&self, script: &str) {
        self.when(script, async || (self.evaluate(script).await == json!(true)).then_some(())).await;
    }

    async fn when<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            if began.elapsed() > LIMIT {
                let shown = self.try_text("body").await;
                panic!("waited in vain for {what}; at {} it shows:\n{shown:?}", self.place().await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the page is live.
    pub(crate) async fn until_live(&self) {
        self.until_text("#live", |text| text == "live").await;
    }

    /// Waits until the page could ask for itself at once: by its own rule, it rests a second after an answer, or ten
    /// times as long as that took.
    pub(crate) async fn until_quiet(&self) {
        let quiet = "const asked = performance.getEntriesByType('resource').filter((one) => one.name === location.href); \
                     const last = asked.at(-1); \
                     return last && performance.now() - last.responseEnd > Math.max(1000, 10 * last.duration) + 100;";
        self.until(quiet).await;
    }

    /// What axe-core finds against, in words.
    pub(crate) async fn violations(&self) -> Vec<String> {
        static AXE: OnceLock<String> = OnceLock::new();
        let axe = AXE.get_or_init(|| {
            let path = std::env::var("OVERDUE_AXE").unwrap_or_else(|_| {
                panic!("OVERDUE_AXE must name axe.min.js of axe-core; tests/run sets it")
            });
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
        });
        self.driver.execute(axe.as_str(), vec![]).await.unwrap();
        let run = "const done = arguments[arguments.length - 1]; axe.run(document).then(done, (error) => done(String(error)));";
        let report = self.driver.execute_async(run, vec![]).await.unwrap().json().clone();
        let violations = report["violations"].as_array().unwrap_or_else(|| panic!("axe: {report}"));
        assert!(report["passes"].as_array().is_some_and(|passes| passes.len() > 10), "axe looked at nothing");
        let told = |violation: &Value| {
            let nodes = violation["nodes"].as_array().unwrap();
            let nodes: Vec<String> =
                nodes.iter().map(|node| format!("{} {}", node["html"], node["failureSummary"])).collect();
            format!("{}: {}\n  {}", violation["id"], violation["help"], nodes.join("\n  "))
        };
        violations.iter().map(told).collect()
    }

    /// Errors in the console since the last look; all of it is searched for secrets.
    pub(crate) async fn errors(&self) -> Vec<String> {
        let entries = self.driver.browser_log().await.unwrap();
        for entry in &entries {
            self.secrets.look("the console", entry.message.as_bytes());
        }
        entries.into_iter().filter(|entry| entry.level == "SEVERE").map(|entry| entry.message).collect()
    }

    /// Ends it. There must have been no error in its console.
    pub(crate) async fn close(self) {
        self.source().await;
        let errors = self.errors().await;
        self.driver.quit().await.unwrap();
        assert!(errors.is_empty(), "errors in the console: {errors:#?}");
    }
}

fn capabilities(setup: Setup) -> ChromeCapabilities {
    let mut wanted = DesiredCapabilities::chrome();
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--force-color-profile=srgb",
    ] {
        wanted.add_arg(argument).unwrap();
    }
    if !setup.script {
        let off = json!({ "profile.managed_default_content_settings.javascript": 2 });
        wanted.add_experimental_option("prefs", off).unwrap();
    }
    wanted.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
    wanted
}
