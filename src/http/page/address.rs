//! What a path of the page names, as one pure function. Links within the page are relative, so that it also works
//! behind a proxy that puts it under a folder of its own.

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
    /// A style sheet, a script, an icon.
    Asset(String),
}

impl Address {
    /// Reads a path; `None` lies elsewhere.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        Some(match parts[..] {
            [""] => Self::Home,
            ["incidents"] => Self::Incidents,
            ["deliveries"] => Self::Deliveries,
            ["config"] => Self::Config,
            ["favicon.svg"] => Self::Asset("favicon.svg".to_owned()),
            ["assets", name] => Self::Asset(name.to_owned()),
            _ => return None,
        })
    }

    /// The way from there to the first page.
    pub(super) fn root(&self) -> &'static str {
        match self {
            Self::Home | Self::Incidents | Self::Deliveries | Self::Config => "./",
            Self::Asset(_) => "../",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_and_nothing_else() {
        assert_eq!(Address::parse("/"), Some(Address::Home));
        assert_eq!(Address::parse("/incidents"), Some(Address::Incidents));
        assert_eq!(Address::parse("/deliveries"), Some(Address::Deliveries));
        assert_eq!(Address::parse("/config"), Some(Address::Config));
        assert_eq!(Address::parse("/assets/page.css"), Some(Address::Asset("page.css".to_owned())));
        for elsewhere in ["", "*", "//", "/assets", "/assets/", "/assets/a/b", "/api/v1", "/ping/x"] {
            assert!(
                matches!(Address::parse(elsewhere), None | Some(Address::Asset(_))),
                "{elsewhere} is no page"
            );
        }
    }
}
