//! How long the pings of `README.md` may hold a job up.

use super::*;

/// Against a watcher that takes connections and never answers, each attempt takes what `-m` says.
#[test]
fn no_ping_of_the_readme_holds_a_job_up_for_long() {
    let pings = PAGE.split("## Pings").nth(1).unwrap().split("\n## ").next().unwrap();
    let curls: Vec<&str> =
        pings.split("curl -fsS").skip(1).map(|rest| rest.lines().next().unwrap()).collect();
    let bounded = |line: &str| {
        line.starts_with(" -m 5 --retry 1 ") && line.contains("/start")
            || line.starts_with(" -m 10 --retry 5 --retry-max-time 60 ") && !line.contains("/start")
            || line.starts_with(" \"${@:2}\" ")
    };
    for line in &curls {
        assert!(bounded(line.split("; ").next().unwrap()), "{line}");
    }
    assert!(curls.len() >= 10, "{}", curls.len());
    assert!(pings.contains("trap 'tell \"$?\" -m 10 --retry 5 --retry-max-time 60' EXIT\n"));
    assert!(pings.contains("\ntell start -m 5 --retry 1\n"));
}
