//! What people do by the forms of the page: pause, resume, try again. Whether they may was decided before.

use warp::reply::Response;

use crate::http::Door;
use crate::http::api::{
    astray, delivery_id, no_such_channel, no_such_delivery, no_such_heartbeat, refused, target,
};
use crate::http::form::Form;
use crate::http::page::address::Act;
use crate::http::page::login::local;
use crate::http::page::see_other;
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::machine::event::{Reply, Request as Wish};
use crate::model::channel::ChannelName;
use crate::model::time::Span;

/// For how long a heartbeat can be paused by the page; for another time there is the API.
pub(super) const PAUSES: [(&str, &str, i64); 4] = [
    ("1h", "for 1 hour", 3_600),
    ("8h", "for 8 hours", 28_800),
    ("1d", "for a day", 86_400),
    ("7d", "for 7 days", 604_800),
];

/// Does it, and leads back.
pub(super) async fn answer<E: Engine>(door: &Door<E>, act: &Act, form: &Form) -> Result<Response, Failure> {
    match act {
        Act::Pause(name) => {
            let wish = Wish::Pause { target: target(name)?, span: span(form.get("for"))? };
            back(door.engine.request(wish).await?)
        }
        Act::Resume(name) => back(door.engine.request(Wish::Resume { target: target(name)? }).await?),
        Act::Retry(id) => {
            let reply = door.engine.request(Wish::Retry { delivery: delivery_id(id)? }).await?;
            queued(reply, form, no_such_delivery)
        }
        Act::Test(name) => {
            let reply = door.engine.request(Wish::Test { channel: ChannelName::new(name) }).await?;
            queued(reply, form, no_such_channel)
        }
    }
}

/// On to where the form wants.
fn queued(reply: Reply, form: &Form, unknown: impl Fn() -> Failure) -> Result<Response, Failure> {
    match reply {
        Reply::Queued(_) => Ok(see_other(&format!("../..{}", local(form.get("next"))))),
        Reply::Unknown => Err(unknown()),
        Reply::Conflict(conflict) => Err(refused(conflict)),
        reply @ (Reply::Done
        | Reply::Taken
        | Reply::Created(_)
        | Reply::Changed(_)
        | Reply::Deleted
        | Reply::Reloading) => Err(astray(&reply)),
    }
}

/// Back to the heartbeat.
fn back(reply: Reply) -> Result<Response, Failure> {
    match reply {
        Reply::Changed(slug) => Ok(see_other(&format!("../{slug}"))),
        Reply::Unknown => Err(no_such_heartbeat()),
        Reply::Conflict(conflict) => Err(refused(conflict)),
        reply @ (Reply::Done
        | Reply::Taken
        | Reply::Created(_)
        | Reply::Deleted
        | Reply::Queued(_)
        | Reply::Reloading) => Err(astray(&reply)),
    }
}

/// How long; nothing said: until it is resumed.
fn span(word: &str) -> Result<Option<Span>, Failure> {
    if word.is_empty() {
        return Ok(None);
    }
    let found = PAUSES.iter().find(|(known, ..)| *known == word);
    let wrong = || {
        Failure::field(
            "for",
            "By the page a heartbeat is paused for 1h, 8h, 1d or 7d, or until it is resumed.",
        )
    };
    found.map(|(_, _, seconds)| Some(Span::from_secs(*seconds))).ok_or_else(wrong)
}
