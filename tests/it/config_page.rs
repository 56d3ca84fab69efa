//! The page of the config, of the running program: what is in force without a secret, and what a reload changes.

use crate::harness::{Daemon, Home, LIMIT, wait_until};
use std::fs;

/// A secret of every kind, each with a word that must show nowhere.
const CONFIG: &str = r#"
[server]
ping_key = { file = "veiled_ping_key" }
alive_url = "http://127.0.0.1:9/veiled-alive"
[defaults]
channels = ["ops"]
[channels.ops]
type = "webhook"
url = "http://127.0.0.1:9/veiled-path"
secret = { env = "VEILED" }
headers = { Authorization = "Bearer veiled-token", "X-Team" = { credential = "team" } }
body = '{"key": "veiled-body"}'
retry_for = "2h"
[heartbeats.backup]
interval = "1h"
uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8"
"#;

#[test]
fn the_config_is_shown_without_any_secret_and_says_what_a_reload_did() {
    let home = Home::new(CONFIG);
    fs::write(home.path("veiled_ping_key"), "veiled-ping-key-of-many-letters\n").unwrap();
    fs::write(home.path("team"), "veiled-team\n").unwrap();
    let mut command = home.command(&["serve", "--config", "config.toml"]);
    command.env("VEILED", "veiled-signature").env("CREDENTIALS_DIRECTORY", home.path(""));
    let daemon = Daemon::start_as(&home, &mut command);
    let page = || daemon.get("/config").text();

    let html = page();
    assert!(!html.contains("veiled") && !html.contains("67e55044"), "{html}");
    for shown in [
        "url = &#34;(secret)&#34;\n",
        "retry_for = &#34;2h&#34;\n",
        "# And 1 heartbeat.",
        "config.toml</code>",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    assert!(!html.contains("What waits for a restart"), "{html}");

    home.configure(&CONFIG.replace("[server]", "[server]\nmax_connections = 7").replace("2h", "3h"));
    wait_until(LIMIT, "the new config is shown", || page().contains("retry_for = &#34;3h&#34;\n"));
    wait_until(LIMIT, "what waits is named", || {
        page().contains("<li><code>server.max_connections</code></li>")
    });
    let beside = "not in force before a restart: <code>server.max_connections</code>.";
    assert!(page().contains(beside), "{}", page());
    // A further change does not make it forget that.
    home.configure(&CONFIG.replace("[server]", "[server]\nmax_connections = 7").replace("2h", "4h"));
    wait_until(LIMIT, "the newest config is shown", || page().contains("retry_for = &#34;4h&#34;\n"));
    assert!(page().contains("<li><code>server.max_connections</code></li>"));

    home.configure(&CONFIG.replace("retry_for", "rety_for"));
    wait_until(LIMIT, "the problem is told", || page().contains("1 problem of the file"));
    let html = page();
    assert!(html.contains("retry_for = &#34;4h&#34;\n"), "what is in force is shown: {html}");
    assert!(html.contains("did you mean &#34;retry_for&#34;?"), "{html}");
}
