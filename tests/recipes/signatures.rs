//! The scripts of the page verify what overdue signs, and refuse everything else. They need `bash`, `openssl`
//! and `python3`.

use std::io::Write;
use std::process::{Command, Stdio};

use overdue::config::channel::Webhook;
use overdue::config::secret::Secret;

use super::{Answer, Receiver, blocks, courier, delivery, recipes, send, template};

/// The example of the standard: signed rightly, long ago.
const OLD: [&str; 4] = [
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "1614265330",
    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
];

/// A script of the page, ready to be run.
struct Script {
    program: &'static str,
    text: &'static str,
}

fn scripts() -> Vec<Script> {
    let of = |language, program| {
        let found: Vec<&str> = blocks(language).into_iter().filter(|text| text.contains("verify.")).collect();
        let [text] = found.as_slice() else { panic!("one {language} script on the page") };
        Script { program, text }
    };
    vec![of("bash", "bash"), of("python", "python3")]
}

impl Script {
    /// Whether the script takes the body for genuine, and what it says if not.
    fn verifies(&self, arguments: [&str; 4], body: &[u8]) -> Result<(), String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(self.text.as_bytes()).unwrap();
        let mut child = Command::new(self.program)
            .arg(file.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs {}: {error}", self.program));
        // A script that has seen enough does not read the body.
        child.stdin.take().unwrap().write_all(body).ok();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => Ok(()),
            Some(1) => Err(said),
            other => panic!("{} ended with {other:?}: {said}", self.program),
        }
    }
}

#[tokio::test]
async fn the_scripts_take_what_overdue_signs_and_nothing_else() {
    let mut receiver = Receiver::start(|_| Answer::status(200)).await;
    for secret in [OLD[0], "whsec_c2hvcnQ=", "correct horse: battery $(staple)", "ein Schlüssel"] {
        let (url, secret_of_channel) = (Secret::new(&receiver.url("/")), Some(Secret::new(secret)));
        let mut house =
            courier(Webhook { url, secret: secret_of_channel, ..recipes().remove("slack").unwrap() });
        let alert = &template::samples()[0];
        let request = send(&mut house, &mut receiver, delivery(1, alert, None)).await;
        let (id, at) = (request.header("webhook-id"), request.header("webhook-timestamp"));
        let (signed, body) = (request.header("webhook-signature"), request.body.as_ref());
        let later = (at.parse::<i64>().unwrap() + 1).to_string();
        let several = format!("v1,bm90IHRoaXMgb25l {signed} v1a,bm9yIHRoYXQ=");
        for script in scripts() {
            assert_eq!(
                script.verifies([secret, id, at, signed], body),
                Ok(()),
                "{} {secret}",
                script.program
            );
            assert_eq!(script.verifies([secret, id, at, &several], body), Ok(()), "{}", script.program);
            if secret != OLD[0] {
                continue;
            }
            for (arguments, body) in [
                (["another", id, at, signed], body),
                ([secret, "another", at, signed], body),
                ([secret, id, &later, signed], body),
                ([secret, id, at, "v1,bm90IHRoaXMgb25l"], body),
                ([secret, id, at, ""], body),
                ([secret, id, at, signed], b"another body"),
                ([secret, id, at, signed], &body[..body.len() - 1]),
            ] {
                let refused = script.verifies(arguments, body);
                assert!(refused.is_err(), "{} took {arguments:?}", script.program);
                assert!(refused.unwrap_err().contains("wrong signature"));
            }
        }
    }
}

#[test]
fn the_scripts_refuse_what_is_old() {
    for script in scripts() {
        let said = script.verifies(OLD, br#"{"test": 2432232314}"#).unwrap_err();
        assert!(said.contains("old"), "{said}");
    }
}

#[test]
fn the_scripts_run_nothing_that_a_sender_writes() {
    let folder = tempfile::tempdir().unwrap();
    let proof = folder.path().join("proof");
    let command = format!("$(touch {})", proof.display());
    let (nested, [secret, id, at, signed]) = (format!("x[{command}]"), OLD);
    for script in scripts() {
        for arguments in [
            [secret, &nested, at, signed],
            [secret, id, &nested, signed],
            [secret, id, &command, signed],
            [secret, id, at, &command],
            [secret, id, "0x10", "* *"],
            [secret, id, "08", signed],
            [secret, id, "-1", signed],
            [secret, id, "", signed],
        ] {
            assert!(script.verifies(arguments, b"{}").is_err(), "{arguments:?}");
        }
    }
    assert!(!proof.exists());
}
