//! Real files in a folder of their own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

const ONE: &str = "[heartbeats.one]\ninterval = \"1h\"\n";
const TWO: &str = "[heartbeats.one]\ninterval = \"1h\"\n[heartbeats.two]\ninterval = \"1h\"\n";

struct House {
    home: TempDir,
    reloads: Reloads,
    task: JoinHandle<()>,
}

impl House {
    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Watches `config.toml` in `home`, which is written already.
    async fn watch(home: TempDir) -> Self {
        Self::watch_with(home, false).await
    }

    async fn watch_with(home: TempDir, hears_sighup: bool) -> Self {
        let path = home.path().join("config.toml");
        let zones = Zones::bundled();
        let first = read(&path, &Disk, &zones, None);
        let config = first.outcome.unwrap();
        let (mut watch, reloads) = Watch::new(
            &path,
            zones,
            None,
            First { config: &config, transcript: first.transcript, held: None },
            Timestamp::from_millis(0),
        )
        .unwrap();
        // The tests share a process, and with it SIGHUP: only the one that sends it hears it.
        if !hears_sighup {
            watch.hangup = signal(SignalKind::user_defined2()).unwrap();
        }
        let mut house = Self { home, reloads, task: tokio::spawn(watch.run()) };
        // Answered only when the folders are watched.
        house.reloads.ask.send(()).await.unwrap();
        assert!(matches!(house.next().await, Loaded::Asked));
        assert!(matches!(house.next().await, Loaded::Accepted { .. }));
        house
    }

    async fn begin(text: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("config.toml"), text).unwrap();
        Self::watch(home).await
    }

    async fn next(&mut self) -> Loaded {
        let next = timeout(Duration::from_secs(20), self.reloads.loaded.recv()).await;
        next.expect("a reload within 20 s").expect("the watch goes on")
    }

    async fn accepted(&mut self) -> Vec<String> {
        match self.next().await {
            Loaded::Accepted { config, .. } => {
                config.heartbeats.iter().map(|one| one.slug.to_string()).collect()
            }
            other
            @ (Loaded::Asked | Loaded::Rejected { .. } | Loaded::HeldBack { .. } | Loaded::Restored) => {
                panic!("{other:?}")
            }
        }
    }

    async fn rejected(&mut self) -> String {
        match self.next().await {
            Loaded::Rejected { problems } => problems[0].to_string(),
            other
            @ (Loaded::Asked | Loaded::Accepted { .. } | Loaded::HeldBack { .. } | Loaded::Restored) => {
                panic!("{other:?}")
            }
        }
    }

    async fn healthy(&mut self) {
        let well = self.reloads.health.wait_for(|health| health.ok);
        timeout(Duration::from_secs(20), well).await.expect("health within 20 s").unwrap();
    }
}

fn rename_over(path: &Path, text: &str) {
    let temporary = path.with_extension("new");
    fs::write(&temporary, text).unwrap();
    fs::rename(temporary, path).unwrap();
}

#[tokio::test]
async fn a_file_written_in_place_is_read_again() {
    let mut house = House::begin(ONE).await;
    fs::write(house.path("config.toml"), TWO).unwrap();
    assert_eq!(house.accepted().await, ["one", "two"]);
}

#[tokio::test]
async fn a_file_renamed_into_place_is_read_again_and_again() {
    let mut house = House::begin(ONE).await;
    let path = house.path("config.toml");
    rename_over(&path, TWO);
    assert_eq!(house.accepted().await, ["one", "two"]);
    rename_over(&path, &format!("{TWO}[heartbeats.zwei]\ninterval = \"2h\"\n"));
    assert_eq!(house.accepted().await, ["one", "two", "zwei"]);
}

#[tokio::test]
async fn a_swapped_symlink_is_followed_as_a_config_map_does_it() {
    let home = tempfile::tempdir().unwrap();
    let version = |name: &str, text: &str| {
        fs::create_dir(home.path().join(name)).unwrap();
        fs::write(home.path().join(name).join("config.toml"), text).unwrap();
    };
    version("..1", ONE);
    version("..2", TWO);
    symlink("..1", home.path().join("..data")).unwrap();
    symlink("..data/config.toml", home.path().join("config.toml")).unwrap();
    let mut house = House::watch(home).await;
    symlink("..2", house.path("..data_tmp")).unwrap();
    fs::rename(house.path("..data_tmp"), house.path("..data")).unwrap();
    fs::remove_dir_all(house.path("..1")).unwrap();
    assert_eq!(house.accepted().await, ["one", "two"]);
    // The new folder is watched now.
    fs::write(house.path("..2/config.toml"), format!("{TWO}[heartbeats.v]\ninterval = \"5h\"\n")).unwrap();
    assert_eq!(house.accepted().await.len(), 3);
}

#[tokio::test]
async fn a_removed_file_is_a_problem_and_its_return_heals_it() {
    let mut house = House::begin(ONE).await;
    fs::remove_file(house.path("config.toml")).unwrap();
    assert!(house.rejected().await.contains("the config cannot be read"));
    assert!(!house.reloads.health.borrow().ok);
    fs::write(house.path("config.toml"), ONE).unwrap();
    house.healthy().await;
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_shows() {
    let mut house = House::begin(ONE).await;
    fs::write(house.path("config.toml"), "[heartbeats.one]\nintervall = \"1h\"\n").unwrap();
    let problem = house.rejected().await;
    assert!(problem.contains("config.toml:1:1: [heartbeats.one] has no schedule"), "{problem}");
    assert_eq!(house.reloads.health.borrow().problems.len(), 2);
    fs::write(house.path("config.toml"), TWO).unwrap();
    assert_eq!(house.accepted().await, ["one", "two"]);
    house.healthy().await;
}

#[tokio::test]
async fn a_half_written_file_removes_nothing() {
    let mut house = House::begin(TWO).await;
    let path = house.path("config.toml");
    fs::write(&path, ONE).unwrap();
    let half = read(&path, &Disk, &Zones::bundled(), None);
    assert!(half.outcome.is_ok(), "half of it is a config too");
    fs::write(&path, format!("{TWO}[heartbeats.whole]\ninterval = \"1h\"\n")).unwrap();
    assert_eq!(house.accepted().await, ["one", "two", "whole"], "the half was never applied");
}

#[tokio::test]
async fn a_removal_that_stays_is_applied() {
    let mut house = House::begin(TWO).await;
    rename_over(&house.path("config.toml"), ONE);
    assert_eq!(house.accepted().await, ["one"]);
}

#[tokio::test]
async fn an_included_file_and_a_folder_that_comes_later_are_seen() {
    let mut house = House::begin(&format!("include = [\"conf.d/*.toml\"]\n{ONE}")).await;
    fs::create_dir(house.path("conf.d")).unwrap();
    fs::write(house.path("conf.d/more.toml"), "[heartbeats.more]\ninterval = \"1h\"\n").unwrap();
    assert_eq!(house.accepted().await, ["more", "one"]);
    fs::write(house.path("conf.d/most.toml"), "[heartbeats.most]\ninterval = \"1h\"\n").unwrap();
    assert_eq!(house.accepted().await, ["more", "most", "one"]);
}

#[tokio::test]
async fn a_secret_file_is_seen() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("secrets")).unwrap();
    fs::write(home.path().join("secrets/url"), "http://127.0.0.1:1/").unwrap();
    let channel = "[channels.a]\ntype = \"webhook\"\nurl = { file = \"secrets/url\" }\n";
    fs::write(home.path().join("config.toml"), format!("{channel}{ONE}")).unwrap();
    let mut house = House::watch(home).await;
    fs::write(house.path("secrets/url"), "http://127.0.0.1:2/").unwrap();
    assert_eq!(house.accepted().await, ["one"]);
}

#[tokio::test]
async fn a_folder_that_is_replaced_as_a_whole_is_seen() {
    let home = tempfile::tempdir().unwrap();
    for (folder, port) in [("deep/secrets", 1), ("deep/next", 2)] {
        fs::create_dir_all(home.path().join(folder)).unwrap();
        fs::write(home.path().join(folder).join("url"), format!("http://127.0.0.1:{port}/")).unwrap();
    }
    let channel = "[channels.a]\ntype = \"webhook\"\nurl = { file = \"deep/secrets/url\" }\n";
    fs::write(home.path().join("config.toml"), format!("{channel}{ONE}")).unwrap();
    let mut house = House::watch(home).await;
    fs::rename(house.path("deep/secrets"), house.path("deep/before")).unwrap();
    fs::rename(house.path("deep/next"), house.path("deep/secrets")).unwrap();
    assert_eq!(house.accepted().await, ["one"]);
}

#[tokio::test]
async fn sighup_asks_for_a_reload() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("config.toml"), ONE).unwrap();
    let mut house = House::watch_with(home, true).await;
    let pid = std::process::id().to_string();
    let sent = std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap();
    assert!(sent.success());
    assert!(matches!(house.next().await, Loaded::Asked));
    assert_eq!(house.accepted().await, ["one"]);
}

#[tokio::test]
async fn the_watch_ends_when_nobody_listens() {
    let house = House::begin(ONE).await;
    drop(house.reloads);
    timeout(Duration::from_secs(20), house.task).await.expect("an end within 20 s").unwrap();
}
