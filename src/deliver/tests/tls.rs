//! TLS against `openssl s_server` on this machine: a certificate that the machine trusts, and one that it does not.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{House, to};
use crate::config::channel::{Webhook, WebhookMethod};
use crate::model::delivery::Verdict;

/// Ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn openssl(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(arguments.split(' '));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// A server with a certificate of its own for `localhost`, and its port.
fn serve(folder: &Path) -> (Server, u16) {
    let made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=overdue \
                -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out certificate.pem";
    let status = openssl(folder, made).status().expect("this test needs openssl");
    assert!(status.success());
    let mut server = openssl(folder, "s_server -accept 127.0.0.1:0 -www -cert certificate.pem -key key.pem")
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let server = Server(server);
    // It says "ACCEPT 127.0.0.1:40123" when it listens.
    let accept = lines.map_while(Result::ok).find(|line| line.starts_with("ACCEPT")).expect("a port");
    (server, accept.rsplit(':').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn plain_http_to_a_port_that_speaks_tls_fails_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, port) = serve(folder.path());
    let url = format!("http://localhost:{port}/hook");
    let error = House::failure(House::webhook(to(&url)).verdict().await);
    let words = ["the answer is not HTTP", "connection closed before an answer came", "connection reset"];
    assert!(words.iter().any(|words| error.starts_with(words)) && !error.contains("hook"), "{error}");
}

#[test]
fn a_certificate_counts_when_the_machine_trusts_it_and_the_name_is_right() {
    // The certificates are found by way of the environment, so this test calls itself with another one.
    const URL: &str = "OVERDUE_TEST_TLS_URL";
    if let Ok(url) = std::env::var(URL) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let webhook = Webhook { method: WebhookMethod::Get, ..to(&url) };
        let verdict = runtime.block_on(async { House::webhook(webhook).verdict().await });
        println!("verdict: {verdict:?}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_server, port) = serve(folder.path());
    let other = tempfile::tempdir().unwrap();
    assert!(
        openssl(
            other.path(),
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout k -out certificate.pem"
        )
        .status()
        .unwrap()
        .success()
    );
    let verdict = |trusted: &Path, host: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("deliver::tests::tls::a_certificate_counts_when_the_machine_trusts_it_and_the_name_is_right")
            .env(URL, format!("https://{host}:{port}/hook"))
            .env("SSL_CERT_FILE", trusted.join("certificate.pem"))
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let delivered = format!("verdict: {:?}", Verdict::Delivered { status: Some(200) });
    let said = verdict(folder.path(), "localhost");
    assert!(said.contains(&delivered), "{said}");
    let said = verdict(folder.path(), "127.0.0.1");
    assert!(said.contains("TLS: ") && said.contains("not valid for name"), "{said}");
    let said = verdict(other.path(), "localhost");
    assert!(said.contains("TLS: ") && said.contains("UnknownIssuer") && !said.contains("hook\""), "{said}");
}
