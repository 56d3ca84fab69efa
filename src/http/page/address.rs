//! What a path of the page names, as one pure function. Links within the page are relative, so that it also works
//! behind a proxy that puts it under a folder of its own.

use percent_encoding::percent_decode_str;

/// A place of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// What those are shown who may see it.
    Shown(Shown),
    /// The form to sign in with.
    Login,
    /// Where a session is ended.
    Logout,
    /// A style sheet, a script, an icon.
    Asset(String),
    /// Nothing is there: the way from there to the first page.
    Nowhere(&'static str),
}

/// A place for those who may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
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

/// What the first part of a path is that is for programs, or answers by itself.
const OTHERS: [&str; 7] = ["api", "ping", "badge", "metrics", "healthz", "readyz", "status"];
/// The way up from an address; from a deeper one no page is found.
const UP: &str = "../../../../../../../../../../../../../../../../";

impl Address {
    /// Reads a path; `None` lies elsewhere.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        // `%61` and `a` are one address.
        let named = |name: &str| percent_decode_str(name).decode_utf8().ok().map(String::from);
        Some(Self::Shown(match parts[..] {
            [""] => Shown::Home,
            ["incidents"] => Shown::Incidents,
            ["deliveries"] => Shown::Deliveries,
            ["config"] => Shown::Config,
            ["heartbeats", ""] => Shown::Slashed("../", "../".to_owned()),
            [one @ ("incidents" | "deliveries" | "config" | "login"), ""] => {
                Shown::Slashed("../", format!("../{one}"))
            }
            ["heartbeats", name] => Shown::Heartbeat(named(name)?),
            ["heartbeats", name, ""] => Shown::Slashed("../../", format!("../{name}")),
            ["heartbeats", name, "pause"] => Shown::Act(Act::Pause(named(name)?)),
            ["heartbeats", name, "resume"] => Shown::Act(Act::Resume(named(name)?)),
            ["channels", name, "test"] => Shown::Act(Act::Test(named(name)?)),
            ["deliveries", id, "retry"] => Shown::Act(Act::Retry(named(id)?)),
            ["login"] => return Some(Self::Login),
            ["logout"] => return Some(Self::Logout),
            // Browsers ask for the second where no page says otherwise.
            ["favicon.svg" | "favicon.ico"] => return Some(Self::Asset("favicon.svg".to_owned())),
            ["assets", name] => return Some(Self::Asset(name.to_owned())),
            _ => return None,
        }))
    }

    /// A path where nothing is, unless it is one that programs ask, who are answered by others.
    pub(super) fn nowhere(path: &str) -> Option<Self> {
        let first = path.split('/').nth(1).unwrap_or_default();
        let up = match path.matches('/').count() {
            0 | 1 => "./",
            parts => UP.get(..3 * (parts - 1))?,
        };
        (!OTHERS.contains(&first)).then_some(Self::Nowhere(up))
    }

    /// The way from there to the first page.
    pub(super) fn root(&self) -> &'static str {
        match self {
            Self::Shown(Shown::Heartbeat(_)) | Self::Asset(_) => "../",
            Self::Shown(Shown::Act(_)) => "../../",
            Self::Shown(Shown::Slashed(root, _)) | Self::Nowhere(root) => root,
            Self::Shown(Shown::Home | Shown::Incidents | Shown::Deliveries | Shown::Config)
            | Self::Login
            | Self::Logout => "./",
        }
    }

    /// By which methods something is there.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::Shown(Shown::Act(_)) | Self::Logout => "POST",
            Self::Login => "GET, HEAD, POST",
            Self::Shown(_) | Self::Asset(_) | Self::Nowhere(_) => "GET, HEAD",
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
            ("/login", Address::Login),
            ("/logout", Address::Logout),
            ("/assets/page.css", Address::Asset("page.css".to_owned())),
            ("/", Address::Shown(Shown::Home)),
            ("/incidents", Address::Shown(Shown::Incidents)),
            ("/deliveries", Address::Shown(Shown::Deliveries)),
            ("/config", Address::Shown(Shown::Config)),
            ("/login/", Address::Shown(Shown::Slashed("../", "../login".to_owned()))),
            ("/heartbeats/backup", Address::Shown(Shown::Heartbeat(name()))),
            ("/heartbeats/b%61ckup", Address::Shown(Shown::Heartbeat(name()))),
            ("/heartbeats/backup/", Address::Shown(Shown::Slashed("../../", "../backup".to_owned()))),
            ("/heartbeats/", Address::Shown(Shown::Slashed("../", "../".to_owned()))),
            ("/incidents/", Address::Shown(Shown::Slashed("../", "../incidents".to_owned()))),
            ("/deliveries/", Address::Shown(Shown::Slashed("../", "../deliveries".to_owned()))),
            ("/config/", Address::Shown(Shown::Slashed("../", "../config".to_owned()))),
            ("/heartbeats/backup/pause", Address::Shown(Shown::Act(Act::Pause(name())))),
            ("/heartbeats/backup/resume", Address::Shown(Shown::Act(Act::Resume(name())))),
            ("/channels/my%20ops/test", Address::Shown(Shown::Act(Act::Test("my ops".to_owned())))),
            ("/deliveries/7/retry", Address::Shown(Shown::Act(Act::Retry("7".to_owned())))),
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

    #[test]
    fn the_way_up_leads_to_the_first_page() {
        for path in ["/", "/x", "/x/", "/x/y", "/a/b/c/", "/logout/"] {
            let here = url::Url::parse(&format!("http://localhost/under{path}")).unwrap();
            let nowhere = Address::nowhere(path).unwrap();
            assert_eq!(here.join(nowhere.root()).unwrap().path(), "/under/", "{path}");
        }
        for others in ["/api/v1/nothing", "/ping/x", &"/x".repeat(18)] {
            assert_eq!(Address::nowhere(others), None, "{others}");
        }
    }
}
