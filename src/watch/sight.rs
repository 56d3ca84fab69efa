//! Which folders to watch, and which of their events matter. Knows symlinks: a file is watched at every
//! link that leads to it; never knows what a file is for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::watch::reading::Transcript;

/// A path may not lead round in circles; the system allows 40 links.
const LINKS_MAX: usize = 40;

/// What must be seen of the file system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Paths that matter: files, links, and folders that are to come.
    exact: BTreeSet<PathBuf>,
    /// Folders in which everything matters, since a pattern looks there.
    inside: BTreeSet<PathBuf>,
    /// Watched folders that may be replaced as a whole. They tell of that themselves: their parents, `/etc`
    /// perhaps, are not watched for it, since every program that starts would wake us there.
    whole: BTreeSet<PathBuf>,
}

impl Sight {
    /// Of everything that transcripts asked for.
    pub(crate) fn of<'t>(transcripts: impl IntoIterator<Item = &'t Transcript>) -> Self {
        let mut sight = Self::default();
        for transcript in transcripts {
            for file in transcript.files() {
                sight.follow(file);
            }
            for pattern in transcript.patterns() {
                sight.follow_pattern(pattern);
            }
        }
        sight
    }

    /// The folders to watch.
    pub(crate) fn folders(&self) -> BTreeSet<PathBuf> {
        let parents = self.exact.iter().filter_map(|path| path.parent()).map(Path::to_owned);
        parents.chain(self.inside.iter().cloned()).filter(|folder| folder.is_dir()).collect()
    }

    /// Whether what happened at `path` matters.
    pub(crate) fn concerns(&self, path: &Path) -> bool {
        self.exact.contains(path)
            || self.inside.contains(path)
            || self.whole.contains(path)
            || path.parent().is_some_and(|parent| self.inside.contains(parent))
    }

    /// A pattern is watched in its folder, and in every folder that its wildcards match on the way.
    fn follow_pattern(&mut self, pattern: &Path) {
        let mut folder = PathBuf::new();
        let mut wild = false;
        for component in pattern.parent().unwrap_or(Path::new("")).components() {
            if !wild && component.as_os_str().to_string_lossy().contains(['*', '?', '[']) {
                self.follow_folder(&folder);
                wild = true;
            }
            folder.push(component);
            if wild && let Ok(matches) = glob::glob(&folder.to_string_lossy()) {
                matches.filter_map(Result::ok).for_each(|folder| self.follow_folder(&folder));
            }
        }
        if !wild {
            self.follow_folder(&folder);
        }
    }

    fn follow_folder(&mut self, folder: &Path) {
        let end = self.follow(folder);
        self.inside.insert(end);
    }

    /// Notes the path, its folder and every link on the way, and gives where it ends.
    fn follow(&mut self, path: &Path) -> PathBuf {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut left: Vec<PathBuf> = parts(&absolute);
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = left.pop() {
            match part.components().next() {
                Some(Component::ParentDir) => {
                    at.pop();
                    continue;
                }
                Some(Component::Normal(_)) => at.push(&part),
                _ => continue,
            }
            match fs::read_link(&at) {
                Ok(target) if links < LINKS_MAX => {
                    links += 1;
                    self.note(&at);
                    at.pop();
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    left.extend(parts(&target));
                }
                Ok(_) => break,
                Err(_) if !at.exists() => {
                    // What is not there yet shows in the last folder that is.
                    self.note(&at);
                    left.into_iter().rev().for_each(|part| at.push(part));
                    break;
                }
                Err(_) => {}
            }
        }
        self.note(&at);
        at
    }

    fn note(&mut self, path: &Path) {
        self.exact.insert(path.to_owned());
        self.whole.extend(path.parent().map(Path::to_owned));
    }
}

/// The parts of a path, the first one last.
fn parts(path: &Path) -> Vec<PathBuf> {
    path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_on_the_way_to_a_file_matters() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        fs::create_dir(home.join("..2026_1")).unwrap();
        fs::write(home.join("..2026_1/config.toml"), "").unwrap();
        std::os::unix::fs::symlink("..2026_1", home.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/config.toml", home.join("config.toml")).unwrap();
        let mut sight = Sight::default();
        let end = sight.follow(&home.join("config.toml"));
        assert_eq!(end, home.join("..2026_1/config.toml"));
        for path in ["config.toml", "..data", "..2026_1", "..2026_1/config.toml"] {
            assert!(sight.concerns(&home.join(path)), "{path}");
        }
        assert!(!sight.concerns(&home.join("other.toml")));
        assert!(sight.concerns(&home), "it may be replaced as a whole");
        assert!(!sight.folders().contains(home.parent().unwrap()), "where every program would wake us");
        assert!(sight.folders().contains(&home) && sight.folders().contains(&home.join("..2026_1")));
    }

    #[test]
    fn links_in_a_circle_come_to_an_end() {
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("b", home.path().join("a")).unwrap();
        std::os::unix::fs::symlink("a", home.path().join("b")).unwrap();
        let mut sight = Sight::default();
        sight.follow(&home.path().join("a"));
        assert!(sight.folders().contains(&home.path().canonicalize().unwrap()));
    }

    #[test]
    fn a_folder_that_is_to_come_is_seen_from_the_last_one_that_is_there() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let mut sight = Sight::default();
        sight.follow_pattern(&home.join("conf.d/*.toml"));
        assert!(sight.concerns(&home.join("conf.d")) && sight.folders().contains(&home));
        fs::create_dir(home.join("conf.d")).unwrap();
        sight.follow_pattern(&home.join("conf.d/*.toml"));
        assert!(
            sight.concerns(&home.join("conf.d/new.toml")) && sight.folders().contains(&home.join("conf.d"))
        );
    }
}
