//! What a receiver gets, and what is made of its answer.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::receiver::{Answer, Receiver};
use super::{House, delivery, to};
use crate::config::channel::{Webhook, WebhookMethod};
use crate::config::secret::Secret;
use crate::deliver::sign::signature;
use crate::deliver::webhook::Sender;
use crate::model::delivery::Verdict;
use crate::model::time::{Span, Timestamp};

/// A receiver that reads a request, writes these bytes and closes.
pub(super) async fn raw(answer: &'static [u8]) -> String {
    raw_with(answer, |_| {}).await
}

/// A receiver that reads a request, writes these bytes and hands the connection on.
pub(super) async fn raw_with(answer: &'static [u8], then: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            if stream.read(&mut request).await.is_ok() {
                stream.write_all(answer).await.ok();
                then(stream);
            }
        }
    });
    url
}

#[tokio::test]
async fn a_delivery_is_signed_and_keeps_its_id_over_attempts() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let mut receiver = Receiver::start(|_| Answer::status(500)).await;
    let mut house =
        House::webhook(Webhook { secret: Some(Secret::new(secret)), ..to(&receiver.url("/hook?a=b")) });
    for _ in 0..2 {
        let before = Timestamp::from_jiff(jiff::Timestamp::now());
        let attempt = house.attempt(delivery(7, "ops")).await;
        assert!(attempt.at >= before, "the instant is this attempt's");
        let request = receiver.next().await;
        let (id, at) = (request.header("webhook-id"), request.header("webhook-timestamp"));
        assert_eq!(id, delivery(7, "ops").id.to_string());
        assert_eq!(at, (attempt.at.as_millis() / 1_000).to_string());
        assert_eq!(
            request.header("webhook-signature"),
            signature(secret, id, at.parse().unwrap(), &request.body)
        );
        assert_eq!(request.body, delivery(7, "ops").payload.as_bytes());
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/hook?a=b"));
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(request.header("user-agent"), concat!("overdue/", env!("CARGO_PKG_VERSION")));
    }
}

#[tokio::test]
async fn without_a_secret_there_is_no_signature() {
    let mut receiver = Receiver::start(|_| Answer::status(204)).await;
    let mut house = House::webhook(to(&receiver.url("/")));
    assert_eq!(house.verdict().await, Verdict::Delivered { status: Some(204) });
    let request = receiver.next().await;
    assert!(!request.headers.contains_key("webhook-signature"));
    request.header("webhook-timestamp");
}

#[tokio::test]
async fn headers_of_the_config_are_sent_but_cannot_forge_ours() {
    let mut receiver = Receiver::start(|_| Answer::status(200)).await;
    let headers = [
        ("X-Team", "infra"),
        ("content-type", "text/plain"),
        ("User-Agent", "mine"),
        ("webhook-id", "forged"),
        ("Content-Length", "3"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), Secret::new(value))).to_vec();
    let mut house = House::webhook(Webhook { headers, ..to(&receiver.url("/")) });
    assert_eq!(house.verdict().await, Verdict::Delivered { status: Some(200) });
    let request = receiver.next().await;
    assert_eq!(request.header("x-team"), "infra");
    assert_eq!(request.header("content-type"), "text/plain");
    assert_eq!(request.header("user-agent"), "mine");
    assert_eq!(request.header("webhook-id"), delivery(1, "ops").id.to_string());
    assert_eq!(request.body, delivery(1, "ops").payload.as_bytes());
}

#[tokio::test]
async fn a_header_that_http_does_not_allow_is_named_without_its_value() {
    let headers = vec![("X-Key".to_owned(), Secret::new("s3cret\nX-Other: 1"))];
    let mut house = House::webhook(Webhook { headers, ..to("http://127.0.0.1:9/") });
    let error = House::failure(house.verdict().await);
    assert!(error.contains("X-Key") && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_put_has_the_body_and_a_get_has_none() {
    let mut receiver = Receiver::start(|_| Answer::status(200)).await;
    let payload = delivery(1, "ops").payload.to_string();
    for (method, name, body) in
        [(WebhookMethod::Put, "PUT", payload), (WebhookMethod::Get, "GET", String::new())]
    {
        let secret = Some(Secret::new("any string"));
        let webhook = Webhook { secret, method, ..to(&receiver.url("/")) };
        assert_eq!(House::webhook(webhook).verdict().await, Verdict::Delivered { status: Some(200) });
        let request = receiver.next().await;
        assert_eq!((request.method.as_str(), request.body.clone()), (name, body.into()));
        let at = request.header("webhook-timestamp").parse().unwrap();
        let signed = signature("any string", request.header("webhook-id"), at, &request.body);
        assert_eq!(request.header("webhook-signature"), signed);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut other = Receiver::start(|_| Answer::status(200)).await;
    let elsewhere = other.url("/t0ken");
    // It asks for 300, 301 and so on by its path: `/301/other` to another port, `/301/same` to its own.
    let mut receiver = Receiver::start(move |request| {
        let mut words = request.path.split('/').skip(1);
        let status = words.next().unwrap().parse().unwrap();
        let to = if words.next() == Some("other") { &elsewhere } else { "/t0ken" };
        Answer::Says(status, vec![("location", to.to_owned())], "moved".into())
    })
    .await;
    let all = [300, 301, 302, 303, 307, 308];
    for status in all {
        for (place, words) in [("other", "redirects to 127.0.0.1,"), ("same", "redirects to another path")] {
            let url = receiver.url(&format!("/{status}/{place}"));
            let error = House::failure(House::webhook(to(&url)).verdict().await);
            assert!(error.contains(&format!("HTTP {status}")) && error.contains(words), "{error}");
            assert!(error.contains("redirects are not followed") && !error.contains("t0ken"), "{error}");
            assert_eq!(receiver.next().await.method, "POST");
        }
    }
    assert!(other.rest().is_empty() && receiver.rest().is_empty(), "nobody was asked again");
    println!("{} redirects: 0 followed", 2 * all.len());
}

#[tokio::test]
async fn the_receiver_says_how_long_to_wait_or_to_stop() {
    let receiver = Receiver::start(|request| match request.path.as_str() {
        "/wait" => Answer::Says(429, vec![("retry-after", "7".into())], "slow down".into()),
        _ => Answer::Says(410, vec![], "no such hook".into()),
    })
    .await;
    let verdict = House::webhook(to(&receiver.url("/wait"))).verdict().await;
    let Verdict::Failed { status: Some(429), retry_after: Some(wait), error } = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(wait, Span::from_secs(7));
    assert_eq!(error, format!("HTTP 429 from {}: slow down", receiver.address));
    let verdict = House::webhook(to(&receiver.url("/gone"))).verdict().await;
    assert!(matches!(verdict, Verdict::Refused { status: Some(410), .. }), "{verdict:?}");
}

#[tokio::test]
async fn a_receiver_that_hangs_times_out() {
    let receiver = Receiver::start(|_| Answer::Hangs).await;
    let timeout = Span::from_millis(150);
    let mut house = House::webhook(Webhook { timeout, ..to(&receiver.url("/s3cret")) });
    let attempt = house.attempt(delivery(1, "ops")).await;
    assert!(attempt.took >= timeout, "{:?}", attempt.took);
    let error = House::failure(attempt.verdict);
    assert_eq!(error, format!("timed out after 150ms ({})", receiver.address));
}

#[tokio::test]
async fn what_keeps_a_receiver_from_answering_is_said_in_plain_words() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    // A label above 63 characters is refused by the resolver itself, without asking any server.
    let nowhere = format!("http://{}.invalid/hook", "x".repeat(64));
    let tls = raw(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.replace("http://", "https://");
    for (url, words) in [
        (format!("http://{free}/hook"), "connection refused"),
        (nowhere, "name not resolved"),
        (raw(b"").await, "connection closed before an answer came"),
        (raw(b"220 mail.example.org ESMTP\r\n").await, "the answer is not HTTP"),
        (tls, "TLS: "),
        ("not a url".to_owned(), "not a URL"),
        ("ftp://127.0.0.1/hook".to_owned(), "look at the channel's url"),
    ] {
        let error = House::failure(House::webhook(to(&url)).verdict().await);
        assert!(error.contains(words), "{error:?} should say {words:?}");
        assert!(!error.contains("hook"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_bounded() {
    let head = b"HTTP/1.1 500 No\r\nContent-Length: 99999999999\r\n\r\n";
    let url = raw_with(head, |mut stream| {
        tokio::spawn(async move { while stream.write_all(&[b'x'; 8_192]).await.is_ok() {} });
    })
    .await;
    let error = House::failure(House::webhook(to(&url)).verdict().await);
    assert!(error.contains("HTTP 500") && error.ends_with("xxx…"), "{error}");
    assert!(error.len() < 300, "{}", error.len());
}

#[tokio::test]
async fn a_status_counts_even_when_the_rest_of_the_answer_never_comes() {
    let delivered: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    let failed: &[u8] = b"HTTP/1.1 503 No\r\nContent-Length: 10\r\n\r\n";
    for (head, status) in [(delivered, 200), (failed, 503)] {
        let (keep, _kept) = std::sync::mpsc::channel();
        let url = raw_with(head, move |stream| keep.send(stream).unwrap()).await;
        let timeout = Span::from_secs(600);
        let verdict = House::webhook(Webhook { timeout, ..to(&url) }).verdict().await;
        let (Verdict::Delivered { status: code }
        | Verdict::Failed { status: code, .. }
        | Verdict::Refused { status: code, .. }) = verdict;
        assert_eq!(code, Some(status));
    }
}

#[tokio::test]
async fn no_secret_is_in_an_error_whatever_the_receiver_repeats() {
    let receiver = Receiver::start(|request| {
        let key = request.header("authorization").to_owned();
        let said = format!("no {} with {key}; whsec_c2VjcmV0c2VjcmV0 pa55word", request.path);
        Answer::Says(403, vec![], said)
    })
    .await;
    let url = receiver.url("/services/T0KEN123/B0TTOM456?apikey=QUERY789").replace("//", "//user:pa55word@");
    let webhook = Webhook {
        secret: Some(Secret::new("whsec_c2VjcmV0c2VjcmV0")),
        headers: vec![("Authorization".into(), Secret::new("Bearer HEADER012"))],
        ..to(&url)
    };
    let shown = format!("{webhook:?}");
    let error = House::failure(House::webhook(webhook).verdict().await);
    assert!(error.contains("HTTP 403") && error.contains("no *** with ***"), "{error}");
    for secret in ["T0KEN", "B0TTOM", "QUERY", "HEADER", "whsec", "c2Vj", "pa55", "services"] {
        assert!(!error.contains(secret), "{secret} in {error}");
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn a_connection_that_the_receiver_closed_costs_no_attempt() {
    // Each connection answers one request, without saying so, and closes.
    let url = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let mut house = House::webhook(to(&url));
    for number in 0..5 {
        let attempt = house.attempt(delivery(number, "ops")).await;
        assert_eq!(attempt.verdict, Verdict::Delivered { status: Some(200) });
    }
}

#[tokio::test]
async fn a_machine_without_ca_certificates_still_delivers_to_plain_http() {
    // The certificates are found by way of the environment, so this test calls itself with another one.
    const MARK: &str = "OVERDUE_TEST_WITHOUT_CERTIFICATES";
    if std::env::var_os(MARK).is_none() {
        let name = "deliver::tests::webhook::a_machine_without_ca_certificates_still_delivers_to_plain_http";
        let folder = tempfile::tempdir().unwrap();
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(MARK, "1")
            .env("SSL_CERT_DIR", folder.path())
            .env("SSL_CERT_FILE", folder.path().join("none.pem"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    assert!(!Sender::new().unwrap().has_roots());
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    let verdict = House::webhook(to(&receiver.url("/"))).verdict().await;
    assert_eq!(verdict, Verdict::Delivered { status: Some(200) });
    let tls = raw(b"no TLS").await.replace("http://", "https://");
    assert!(House::failure(House::webhook(to(&tls)).verdict().await).contains("TLS: "));
}
