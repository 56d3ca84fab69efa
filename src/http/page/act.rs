//! What people do by the forms of the page: pause, resume, try again. Whether they may was decided before.

use warp::reply::Response;

use crate::http::api::{
    astray, delivery_id, no_such_channel, no_such_delivery, no_such_heartbeat, refused, target,
};
use crate::http::form::Form;
use crate::http::page::address::Act;
use crate::http::page::login::local;
use crate::http::page::see_other;
use crate::http::rejection::Failure;
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

/// What the engine is to do.
pub(super) fn wish(act: &Act, form: &Form) -> Result<Wish, Failure> {
    Ok(match act {
        Act::Pause(name) => Wish::Pause { target: target(name)?, span: span(form.get("for"))? },
        Act::Resume(name) => Wish::Resume { target: target(name)? },
        Act::Retry(id) => Wish::Retry { delivery: delivery_id(id)? },
        Act::Test(name) => Wish::Test { channel: ChannelName::new(name) },
    })
}

/// Leads back from what was done.
pub(super) fn answer(act: &Act, reply: Reply, form: &Form) -> Result<Response, Failure> {
    match reply {
        // Back to the heartbeat.
        Reply::Changed(slug) => Ok(see_other(&format!("../{slug}"))),
        // On to where the form wants.
        Reply::Queued(_) => Ok(see_other(&format!("../..{}", local(form.get("next"))))),
        Reply::Unknown => Err(match act {
            Act::Pause(_) | Act::Resume(_) => no_such_heartbeat(),
            Act::Retry(_) => no_such_delivery(),
            Act::Test(_) => no_such_channel(),
        }),
        Reply::Conflict(conflict) => Err(refused(conflict)),
        reply @ (Reply::Done | Reply::Taken | Reply::Created(_) | Reply::Deleted | Reply::Reloading) => {
            Err(astray(&reply))
        }
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
