//! What stands around every page: title, icon, navigation, what is wrong with the daemon itself, and who looks.

use std::fmt;

use askama::filters::HtmlSafe;
use askama::{FastWritable, Template, Values};

use crate::config::Role;
use crate::engine::handle::Refused;
use crate::http::Door;
use crate::http::auth::Visitor;
use crate::http::page::assets::VERSION;
use crate::http::page::times::{Told, exact, next, past};
use crate::http::seam::Engine;
use crate::model::id::Slug;
use crate::model::time::{Span, Timestamp};

/// Problems of the config that are named above a page; the rest is on the config's.
const PROBLEMS: usize = 3;

/// For how long it is told everywhere that an alert was given up.
const GIVEN_UP_FOR: Span = Span::from_secs(86_400);

/// Which entry of the navigation is shown as the one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    /// All heartbeats, or one.
    Heartbeats,
    /// Incidents.
    Incidents,
    /// Deliveries.
    Deliveries,
    /// The config.
    Config,
    /// None of them.
    Nowhere,
}

/// What stands around a page.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// What the page is about.
    pub(super) title: String,
    /// The way to the first page: `./`, `../`.
    pub(super) root: &'static str,
    /// Where in the navigation it is.
    pub(super) here: Here,
    /// Incidents that are open; `None` for those who may not know.
    pub(super) open: Option<usize>,
    /// Alerts that were given up in the last 24 hours.
    pub(super) given_up: usize,
    /// The daemon's clock.
    pub(super) now: Timestamp,
    /// Who looks; `None` when nobody is known.
    pub(super) visitor: Option<Visitor>,
    /// What is wrong with the daemon itself.
    pub(super) troubles: Vec<String>,
    /// The heartbeat that it is about, if it is about one: the script listens for its news.
    pub(super) heartbeat: Option<Slug>,
    /// The kinds of news that it listens for, if not for those of what it shows.
    pub(super) listens: &'static str,
}

/// The field of a form that says that it is ours.
pub(super) struct Token<'a>(&'a str);

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<input type="hidden" name="csrf" value="{}">"#, self.0)
    }
}

impl HtmlSafe for Token<'_> {}

/// What a template writes without a formatter is one call there.
impl FastWritable for Token<'_> {
    #[inline(never)]
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(write!(dest, "{self}")?)
    }
}

/// A page within its frame.
pub(super) trait Framed: Template {
    /// What stands around it.
    fn frame(&self) -> &Frame;
}

/// All of a page.
#[derive(Template)]
#[template(path = "layout.html")]
struct Layout<'a> {
    frame: &'a Frame,
    main: String,
}

impl Frame {
    /// The version of the program.
    pub(super) const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    /// What makes the address of a file new when the file is.
    pub(super) const FILES: u64 = VERSION;

    /// Around a page for somebody who may see it.
    pub(super) fn of<E: Engine>(
        door: &Door<E>,
        visitor: Visitor,
        (root, here): (&'static str, Here),
        title: &str,
    ) -> Result<Self, Refused> {
        let now = door.engine.now();
        let since = now - GIVEN_UP_FOR;
        let (open, given_up) =
            door.engine.blocking_ask(move |view| (view.open_incidents(), view.given_up_after(since)))?;
        let mut troubles = Vec::new();
        if let Some(error) = &door.engine.journal().borrow().error {
            troubles.push(format!(
                "The journal cannot be written: {error}. Pings count, but are answered 503 and may be lost. \
                 See the log and the disk of the state folder."
            ));
        }
        let config = door.config.borrow();
        if !config.ok {
            let first: Vec<&str> = config.problems.iter().take(PROBLEMS).map(String::as_str).collect();
            let more = config.problems.len().saturating_sub(PROBLEMS);
            let more = if more > 0 { format!(" And {more} more.") } else { String::new() };
            troubles.push(format!(
                "The config file as it is now is not in force; the one before it is. {}{more}",
                first.join(" ")
            ));
        }
        Ok(Self {
            title: title.to_owned(),
            root,
            here,
            open: Some(open),
            given_up,
            now,
            visitor: Some(visitor),
            troubles,
            heartbeat: None,
            listens: "",
        })
    }

    /// Around a page for somebody who is not known.
    pub(super) fn outside<E: Engine>(door: &Door<E>, root: &'static str, title: &str) -> Self {
        Self {
            title: title.to_owned(),
            root,
            here: Here::Nowhere,
            open: None,
            given_up: 0,
            now: door.engine.now(),
            visitor: None,
            troubles: Vec::new(),
            heartbeat: None,
            listens: "",
        }
    }

    /// Puts a page within.
    pub(super) fn around(&self, main: String) -> impl Template {
        Layout { frame: self, main }
    }

    /// The number of incidents in the title and the icon.
    pub(super) fn badge(&self) -> usize {
        self.open.unwrap_or(0)
    }

    /// Whether this entry of the navigation is the one.
    pub(super) fn is_at(&self, word: &str) -> bool {
        word == match self.here {
            Here::Heartbeats => "heartbeats",
            Here::Incidents => "incidents",
            Here::Deliveries => "deliveries",
            Here::Config => "config",
            Here::Nowhere => return false,
        }
    }

    /// The daemon's clock, for the script.
    pub(super) fn stamp(&self) -> String {
        exact(self.now)
    }

    /// How long ago that was.
    pub(super) fn past(&self, at: Timestamp) -> Told {
        past(at, self.now)
    }

    /// When that will be.
    pub(super) fn next(&self, at: Timestamp) -> Told {
        next(at, self.now)
    }

    /// Whether whoever looks may change something.
    pub(super) fn may_write(&self) -> bool {
        self.visitor.as_ref().is_some_and(|visitor| visitor.role == Role::Write)
    }

    /// What a form must bring: letters and digits only.
    pub(super) fn token(&self) -> Token<'_> {
        Token(self.visitor.as_ref().map_or("", |visitor| &visitor.csrf))
    }

    /// Whether somebody may sign out.
    pub(super) fn signed_in(&self) -> bool {
        self.visitor.as_ref().is_some_and(|visitor| visitor.signed_in)
    }
}
