//! What a path of the page names, as one pure function. Links within the page are relative, so that it also works
//! behind a proxy that puts it under a folder of its own.

use percent_encoding::percent_decode_str;

/// A place of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// All heartbeats.
    Home,
    /// Incidents of all heartbeats.
    Incidents,
    /// Deliveries.
    Deliveries,
    /// The config in force, and how the daemon fares.
    Config,
    /// A heartbeat, by slug or UUID.
    Heartbeat(String),
    /// Where something is done by a form.
    Act(Act),
    /// The same as another address, with a slash too many: the way from there to the first page, and to the other.
    Slashed(&'static str, String),
    /// A style sheet, a script, an icon.
    Asset(String),
}

/// What a form does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// Pauses a heartbeat.
    Pause(String),
    /// Resumes it.
    Resume(String),
    /// Tries a delivery now.
    Retry(String),
    /// Sends a test to a channel.
    Test(String),
}

impl Address {
    /// Reads a path; `None` lies elsewhere.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        // `%61` and `a` are one address.
        let named = |name: &str| percent_decode_str(name).decode_utf8().ok().map(String::from);
        Some(match parts[..] {
            [""] => Self::Home,
            ["incidents"] => Self::Incidents,
            ["deliveries"] => Self::Deliveries,
            ["config"] => Self::Config,
            // Browsers ask for the second where no page says otherwise.
            ["favicon.svg" | "favicon.ico"] => Self::Asset("favicon.svg".to_owned()),
            ["assets", name] => Self::Asset(name.to_owned()),
            ["heartbeats", ""] => Self::Slashed("../", "../".to_owned()),
            [one @ ("incidents" | "deliveries" | "config" | "login"), ""] => {
                Self::Slashed("../", format!("../{one}"))
            }
            ["heartbeats", name] => Self::Heartbeat(named(name)?),
            ["heartbeats", name, ""] => Self::Slashed("../../", format!("../{name}")),
            ["heartbeats", name, "pause"] => Self::Act(Act::Pause(named(name)?)),
            ["heartbeats", name, "resume"] => Self::Act(Act::Resume(named(name)?)),
            ["channels", name, "test"] => Self::Act(Act::Test(named(name)?)),
            ["deliveries", id, "retry"] => Self::Act(Act::Retry(named(id)?)),
            _ => return None,
        })
    }

    /// The way from there to the first page.
    pub(super) fn root(&self) -> &'static str {
        match self {
            Self::Home | Self::Incidents | Self::Deliveries | Self::Config => "./",
            Self::Asset(_) | Self::Heartbeat(_) => "../",
            Self::Act(_) => "../../",
            Self::Slashed(root, _) => root,
        }
    }

    /// By which methods something is there.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::Act(_) => "POST",
            Self::Home
            | Self::Incidents
            | Self::Deliveries
            | Self::Config
            | Self::Heartbeat(_)
            | Self::Slashed(..)
            | Self::Asset(_) => "GET, HEAD",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_and_nothing_else() {
        let name = || "backup".to_owned();
        for (path, place) in [
            ("/", Address::Home),
            ("/incidents", Address::Incidents),
            ("/deliveries", Address::Deliveries),
            ("/config", Address::Config),
            ("/assets/page.css", Address::Asset("page.css".to_owned())),
            ("/heartbeats/backup", Address::Heartbeat(name())),
            ("/heartbeats/b%61ckup", Address::Heartbeat(name())),
            ("/heartbeats/backup/", Address::Slashed("../../", "../backup".to_owned())),
            ("/heartbeats/", Address::Slashed("../", "../".to_owned())),
            ("/incidents/", Address::Slashed("../", "../incidents".to_owned())),
            ("/deliveries/", Address::Slashed("../", "../deliveries".to_owned())),
            ("/config/", Address::Slashed("../", "../config".to_owned())),
            ("/heartbeats/backup/pause", Address::Act(Act::Pause(name()))),
            ("/heartbeats/backup/resume", Address::Act(Act::Resume(name()))),
            ("/channels/my%20ops/test", Address::Act(Act::Test("my ops".to_owned()))),
            ("/deliveries/7/retry", Address::Act(Act::Retry("7".to_owned()))),
        ] {
            let here = url::Url::parse(&format!("http://localhost/under{path}")).unwrap();
            assert_eq!(here.join(place.root()).unwrap().path(), "/under/", "{path}");
            assert_eq!(Address::parse(path), Some(place), "{path}");
        }
        for elsewhere in [
            "",
            "*",
            "//",
            "/assets",
            "/assets/",
            "/assets/a/b",
            "/api/v1",
            "/ping/x",
            "/heartbeats/backup/delete",
            "/heartbeats/a/b/c",
            "/heartbeats/%ff",
        ] {
            assert!(
                matches!(Address::parse(elsewhere), None | Some(Address::Asset(_))),
                "{elsewhere} is no page"
            );
        }
    }
}
