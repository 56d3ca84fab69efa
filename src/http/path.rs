//! What a ping's URL says, as one pure function from the path. It knows every form that is a ping and
//! nothing of requests, answers or the engine; whether a key is right or a heartbeat exists is not
//! decided here.

use uuid::Uuid;

use crate::model::id::{Slug, parse_uuid};
use crate::model::ping::PingKind;

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Path {
    /// One of the forms of a ping.
    Ping(Form),
    /// Where pings live, but no form of one. Answered as pings are.
    NoSuch {
        /// Whether the answer is JSON.
        json: bool,
    },
    /// Not for the ping routes.
    Elsewhere,
}

/// A ping's URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    /// Whether the answer is JSON.
    pub json: bool,
    /// Whom it names.
    pub whom: Whom,
    /// What it says; `None` is an exit code above 255.
    pub kind: Option<PingKind>,
}

/// Whom a ping's URL names.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Whom {
    /// By its secret.
    Uuid(Uuid),
    /// By the ping key, not checked yet, and the slug.
    Slug {
        /// As it was given.
        key: String,
        /// Whose it is.
        slug: Slug,
    },
}

/// Without the secrets.
impl std::fmt::Debug for Whom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uuid(_) => f.write_str("Uuid(..)"),
            Self::Slug { slug, .. } => write!(f, "Slug({slug})"),
        }
    }
}

impl Path {
    /// Whether what is said of it is said in JSON.
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Ping(form) => form.json,
            Self::NoSuch { json } => *json,
            Self::Elsewhere => false,
        }
    }

    /// Takes a path (without the query) apart. Every form may end with one slash.
    pub(crate) fn parse(path: &str) -> Self {
        let Some(rest) = path.strip_prefix('/') else { return Self::Elsewhere };
        let (rest, area) = match (rest.strip_prefix("api/v1/ping"), rest.strip_prefix("ping")) {
            (Some(rest), _) => (rest, Some(true)),
            (None, Some(rest)) => (rest, Some(false)),
            (None, None) => (rest, None),
        };
        let Some(json) = area else {
            let mut parts = Parts::new(rest);
            return match parts.uuid() {
                Some(uuid) => parts.form(false, Whom::Uuid(uuid)),
                None => Self::Elsewhere,
            };
        };
        let Some(rest) = rest.strip_prefix('/') else {
            return if rest.is_empty() { Self::NoSuch { json } } else { Self::Elsewhere };
        };
        let mut parts = Parts::new(rest);
        if let Some(uuid) = parts.uuid() {
            return parts.form(json, Whom::Uuid(uuid));
        }
        let (Some(key), Some(Ok(slug))) = (parts.take(), parts.take().map(Slug::new)) else {
            return Self::NoSuch { json };
        };
        parts.form(json, Whom::Slug { key: key.to_owned(), slug })
    }
}

/// The segments of a path that are still to be read.
struct Parts<'a>(Option<&'a str>);

impl<'a> Parts<'a> {
    fn new(rest: &'a str) -> Self {
        Self(Some(rest.strip_suffix('/').unwrap_or(rest)))
    }

    fn take(&mut self) -> Option<&'a str> {
        let rest = self.0.take()?;
        match rest.split_once('/') {
            Some((first, rest)) => {
                self.0 = Some(rest);
                Some(first)
            }
            None => Some(rest),
        }
    }

    /// Takes the next segment if it is a UUID.
    fn uuid(&mut self) -> Option<Uuid> {
        let rest = self.0?;
        let uuid = parse_uuid(rest.split('/').next()?)?;
        self.take();
        Some(uuid)
    }

    /// Reads the suffix, which must be the end.
    fn form(mut self, json: bool, whom: Whom) -> Path {
        let suffix = self.take();
        if self.0.is_some() {
            return Path::NoSuch { json };
        }
        let kind = match suffix {
            None => Some(PingKind::Success),
            Some("start") => Some(PingKind::Start),
            Some("fail") => Some(PingKind::Fail),
            Some("log") => Some(PingKind::Log),
            Some(code) if !code.is_empty() && code.bytes().all(|c| c.is_ascii_digit()) => exit(code),
            Some(_) => return Path::NoSuch { json },
        };
        Path::Ping(Form { json, whom, kind })
    }
}

/// A code of digits, leading zeros allowed; `None` when it is above 255, however long.
fn exit(code: &str) -> Option<PingKind> {
    match code.trim_start_matches('0') {
        "" => Some(PingKind::Exit(0)),
        digits => digits.parse().ok().map(PingKind::Exit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_path_makes_it_stumble(path in "(/|ping|api/v1|[0-9a-f]{32}|start|[0-9]{1,4}|\\PC){0,9}") {
            let parsed = Path::parse(&path);
            if let Path::Ping(form) = parsed {
                prop_assert!(path.starts_with('/'), "{path} was read as {form:?}");
            }
        }
    }

    const HYPHENS: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    const UUID: Uuid = Uuid::from_u128(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8);

    fn suffixes() -> Vec<(&'static str, Option<PingKind>)> {
        vec![
            ("", Some(PingKind::Success)),
            ("/start", Some(PingKind::Start)),
            ("/fail", Some(PingKind::Fail)),
            ("/log", Some(PingKind::Log)),
            ("/0", Some(PingKind::Exit(0))),
            ("/3", Some(PingKind::Exit(3))),
            ("/007", Some(PingKind::Exit(7))),
            ("/000", Some(PingKind::Exit(0))),
            ("/00000000255", Some(PingKind::Exit(255))),
            ("/255", Some(PingKind::Exit(255))),
            ("/256", None),
            ("/99999999999999999999999", None),
        ]
    }

    #[test]
    fn every_form_is_read_with_and_without_a_trailing_slash() {
        let slug = Slug::new("backup").unwrap();
        let by_slug = Whom::Slug { key: "secret-key".to_owned(), slug };
        let mut seen = 0;
        for (suffix, kind) in suffixes() {
            for end in ["", "/"] {
                for (head, json, whom) in [
                    (format!("/ping/{HYPHENS}"), false, Whom::Uuid(UUID)),
                    (format!("/api/v1/ping/{HYPHENS}"), true, Whom::Uuid(UUID)),
                    (format!("/{HYPHENS}"), false, Whom::Uuid(UUID)),
                    ("/ping/secret-key/backup".to_owned(), false, by_slug.clone()),
                    ("/api/v1/ping/secret-key/backup".to_owned(), true, by_slug.clone()),
                ] {
                    let path = format!("{head}{suffix}{end}");
                    assert_eq!(Path::parse(&path), Path::Ping(Form { json, whom, kind }), "{path}");
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 120);
    }

    #[test]
    fn uuids_may_be_in_any_case_and_without_hyphens() {
        for uuid in
            [HYPHENS.to_uppercase(), HYPHENS.replace('-', ""), HYPHENS.replace('-', "").to_uppercase()]
        {
            for head in ["/ping/", "/api/v1/ping/", "/"] {
                let Path::Ping(form) = Path::parse(&format!("{head}{uuid}/start")) else { panic!("{uuid}") };
                assert_eq!((form.whom, form.kind), (Whom::Uuid(UUID), Some(PingKind::Start)));
            }
        }
    }

    #[test]
    fn what_is_no_form_of_a_ping_is_told_from_what_lies_elsewhere() {
        for (path, json) in [
            ("/ping", false),
            ("/ping/", false),
            ("/api/v1/ping", true),
            ("/api/v1/ping/", true),
            ("/ping/some-key", false),
            ("/ping/some-key/", false),
            ("/ping/some-key/Backup", false),
            ("/ping/some-key/backup/nonsense", false),
            ("/ping/some-key/backup/start/more", false),
            ("/api/v1/ping/some-key/backup/1.5", true),
        ] {
            assert_eq!(Path::parse(path), Path::NoSuch { json }, "{path}");
        }
        for suffix in ["/nonsense", "/-1", "/+1", "/1e1", "/start/1", "//", "//start", "/START"] {
            assert_eq!(
                Path::parse(&format!("/ping/{HYPHENS}{suffix}")),
                Path::NoSuch { json: false },
                "{suffix}"
            );
            assert_eq!(Path::parse(&format!("/{HYPHENS}{suffix}")), Path::NoSuch { json: false }, "{suffix}");
        }
        for path in [
            "/",
            "",
            "*",
            "/pings",
            "/pinger/x",
            "/api/v1/pings",
            "/api/v1/heartbeats",
            "/healthz",
            "/backup",
        ] {
            assert_eq!(Path::parse(path), Path::Elsewhere, "{path}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let shown = format!("{:?}", Path::parse("/ping/secret-key/backup"));
        assert!(shown.contains("backup") && !shown.contains("secret-key"), "{shown}");
        assert!(!format!("{:?}", Path::parse(&format!("/{HYPHENS}"))).contains("67e5"));
    }
}
