//! `block_private`: what a channel that has it cannot reach, by whatever name.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::TcpListener;

use super::receiver::{Answer, Receiver};
use super::{House, table, target, to};
use crate::config::channel::Webhook;
use crate::deliver::resolve::PublicOnly;
use crate::deliver::webhook::{Message, Sender};
use crate::model::delivery::Verdict;
use crate::model::time::Timestamp;

fn blocking(url: &str) -> Webhook {
    Webhook { block_private: true, ..to(url) }
}

#[tokio::test]
async fn a_channel_that_blocks_private_addresses_reaches_none_by_name_or_number() {
    let mut receiver = Receiver::start(|_| Answer::status(200)).await;
    let port = receiver.address.port();
    let mut house = House::webhook(to(&receiver.url("/s3cret")));
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
    ];
    for host in hosts {
        // Delivered by another channel first: what that has open must not be used.
        house.targets.send_replace(Arc::new(table([("ops", target(to(&receiver.url("/s3cret"))))])));
        assert_eq!(house.verdict().await, Verdict::Delivered { status: Some(200) });
        receiver.next().await;
        let url = format!("http://{host}:{port}/s3cret");
        house.targets.send_replace(Arc::new(table([("ops", target(blocking(&url)))])));
        let verdict = house.verdict().await;
        let Verdict::Failed { status: None, error, retry_after: None } = verdict else {
            panic!("{host}: it is tried again, as names change: {verdict:?}");
        };
        let sentence = "is not a public address, and the channel has block_private = true (";
        assert!(error.contains(sentence) && !error.contains("s3cret"), "{host}: {error}");
        let address: IpAddr = error.split(' ').next().unwrap().parse().expect(&error);
        assert!(address.is_loopback() || matches!(address, IpAddr::V6(_)), "{host}: {error}");
        assert!(receiver.rest().is_empty(), "{host}");
    }
    println!("{} names and numbers of this machine: 0 reached", hosts.len());
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_not_called_private() {
    let nowhere = format!("http://{}.invalid/hook", "x".repeat(64));
    let error = House::failure(House::webhook(blocking(&nowhere)).verdict().await);
    assert!(error.starts_with("name not resolved"), "{error}");
}

/// Answers that come one after the other, whatever the name.
struct Turning(Mutex<VecDeque<Vec<Ipv4Addr>>>);

impl Resolve for Turning {
    fn resolve(&self, _: Name) -> Resolving {
        let found = self.0.lock().unwrap().pop_front().expect("one look-up for each attempt");
        let found = found.into_iter().map(|address| SocketAddr::new(address.into(), 0));
        Box::pin(std::future::ready(Ok(Box::new(found) as Addrs)))
    }
}

const PRIVATE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Taken as public here, since a test reaches nothing else.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The same port at both addresses.
async fn pair() -> (std::net::TcpListener, TcpListener) {
    loop {
        let public = TcpListener::bind((PUBLIC, 0)).await.unwrap();
        if let Ok(private) = std::net::TcpListener::bind((PRIVATE, public.local_addr().unwrap().port())) {
            private.set_nonblocking(true).unwrap();
            return (private, public);
        }
    }
}

#[tokio::test]
async fn a_name_that_turns_from_public_to_private_between_two_attempts_leads_nowhere() {
    let (private, public) = pair().await;
    let port = public.local_addr().unwrap().port();
    let mut receiver = Receiver::start_at(public, |_| {
        // So that each attempt makes a connection of its own, and asks for the name.
        Answer::Says(200, vec![("connection", "close".to_owned())], String::new())
    });
    let answers = [vec![PRIVATE, PUBLIC, PRIVATE], vec![PRIVATE], vec![PUBLIC], vec![PRIVATE, PRIVATE]];
    let names = Arc::new(Turning(Mutex::new(answers.into())));
    let resolver = PublicOnly::told(names.clone(), |address| address == IpAddr::from(PRIVATE));
    let sender = Sender::with(&resolver).unwrap();
    let webhook = blocking(&format!("http://turning.example.org:{port}/"));
    let outcomes = [true, false, true, false];
    for delivered in outcomes {
        let message = Message { id: "1".to_owned(), body: Bytes::from_static(b"{}"), keep: true };
        let verdict =
            sender.send(&webhook, message, Timestamp::from_millis(0), || Timestamp::from_millis(0)).await;
        if delivered {
            assert_eq!(verdict, Verdict::Delivered { status: Some(200) });
            assert_eq!(receiver.next().await.header("host"), format!("turning.example.org:{port}"));
        } else {
            let error = House::failure(verdict);
            assert!(error.starts_with("127.0.0.1 is not a public address"), "{error}");
            assert!(error.ends_with(&format!("(turning.example.org:{port})")), "{error}");
        }
    }
    assert!(names.0.lock().unwrap().is_empty(), "one look-up for each attempt");
    assert!(receiver.rest().is_empty());
    let none = private.accept().expect_err("nobody came to the private address");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
    println!("{} attempts at a name that turns: the private address was not reached", outcomes.len());
}
