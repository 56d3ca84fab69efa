//! The page in a real browser: what a person sees and does, in both themes, on a phone, by the keyboard, and
//! without JavaScript. Needs chromium, chromedriver and axe-core (`tests/run` installs them), and fails without.
#![cfg(test)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it runs programs")]
#![allow(clippy::unwrap_used, reason = "a test says by its panic where it failed")]
#![allow(clippy::format_push_string, reason = "speed is no matter here")]

mod acting;
mod browser;
#[allow(dead_code, reason = "shared with the tests of the daemon")]
#[path = "../it/client.rs"]
mod client;
#[allow(dead_code, reason = "shared with the tests of the daemon")]
#[path = "../it/harness.rs"]
mod harness;
mod live;
mod looking;
mod pages;
mod pictures;
#[allow(dead_code, reason = "shared with the tests of the daemon")]
#[path = "../it/receiver.rs"]
mod receiver;
mod searched;
#[allow(dead_code, reason = "shared with the tests of the daemon")]
#[path = "../it/secrets.rs"]
mod secrets;
mod trust;
