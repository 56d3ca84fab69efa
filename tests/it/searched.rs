//! That the search for secrets reaches whatever a test is told: each client of the suite is answered a "secret", and each
//! finds it. What the search itself finds is in `secrets`.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::client::try_request;
use crate::harness::{Daemon, Home, curl};
use crate::limits::Client;
use crate::receiver::Receiver;

/// A header of every answer, and how every help begins.
const TOLD: [&str; 2] = ["content-length", "Usage: overdue"];

#[test]
fn every_client_of_the_suite_finds_a_secret_in_what_it_is_answered() {
    let home = Home::new("");
    let listen = format!("listen = [\"127.0.0.1:{}\", \"unix:overdue.sock\"]\n", home.port);
    home.configure(&format!("[server]\n{listen}[heartbeats.db]\ninterval = \"24h\"\n"));
    let daemon = Daemon::start_in(&home);
    let (url, socket) = (daemon.url("/readyz"), home.path("overdue.sock"));
    let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let clients: [(&str, &dyn Fn()); 7] = [
        ("the client", &|| drop(daemon.get("/readyz"))),
        ("a request to a port", &|| drop(try_request(home.port, "GET", "/readyz", &[], b""))),
        ("the client of the limits", &|| {
            Client::new(&daemon, [127, 0, 0, 2]).ask(request);
        }),
        ("a bare connection", &|| {
            let mut connection = daemon.connect();
            connection.write_all(request.as_bytes()).unwrap();
            connection.read_to_end(&mut Vec::new()).unwrap();
        }),
        ("curl", &|| drop(curl(&["-i", &url]))),
        ("curl by a socket", &|| {
            drop(curl(&["-i", "--unix-socket", socket.to_str().unwrap(), "http://localhost/readyz"]));
        }),
        ("what a command prints", &|| drop(home.run(&["serve", "--help"]))),
    ];
    let finds = |look: &dyn Fn()| catch_unwind(AssertUnwindSafe(look)).is_err();
    for (whose, look) in clients {
        assert!(!finds(look), "{whose} finds something where nothing is");
    }
    for told in TOLD {
        home.secrets.note(&format!("[server]\nping_key = {told:?}\n"));
    }
    for (whose, look) in clients {
        assert!(finds(look), "{whose} does not look");
    }
    println!("{} clients: each finds a secret in what it is answered", clients.len());
}

#[test]
fn a_receiver_finds_a_secret_in_what_it_is_sent() {
    let receiver = Receiver::start();
    let home = Home::new(&format!("{}secret = \"a-secret-that-only-signs\"\n", receiver.channel("ops")));
    let send = |body: &str| {
        let length = body.len();
        let path = "/hook/whoever-knows-this-may-post?as=nobody-else-can";
        let mut stream = std::net::TcpStream::connect(receiver.address).unwrap();
        write!(stream, "POST {path} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    };
    send("whatever stands in an alert");
    assert_eq!(receiver.received().len(), 1);
    send("a-secret-that-only-signs");
    assert!(catch_unwind(AssertUnwindSafe(|| receiver.received())).is_err(), "it does not look");
    receiver.forgive();
    drop(home);
}
