//! `overdue status`: asks a running daemon how things stand, for a person, a script or a monitoring system.
//! Knows what to ask for and which exit code it gives; how it looks is the business of the modules below.

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::cli::answer::{Beat, Deliveries, Delivery, Run, Runs};
use crate::cli::ask::{Daemon, Fault, Where, is_name, run};
use crate::cli::paint::{Paint, plain};
use crate::cli::status::overview::{Overview, Wanted};
use crate::cli::status::plugin::{Line, Verdict};
use crate::cli::{complain, exit, print};
use crate::engine::clock::{Clock as _, SystemClock};
use crate::model::time::Timestamp;

mod alerts;
mod chart;
mod detail;
pub(super) mod overview;
pub(super) mod plugin;
#[cfg(test)]
mod samples;
mod screen;
mod table;
mod watch;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    daemon: Where,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Ask again every 2 seconds, until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// List only those that are late or down, as a monitoring system wants it; all are counted
    #[arg(long, conflicts_with = "slug")]
    problems: bool,
    /// The heartbeat; without it, all of them
    slug: Option<String>,
}

/// What is asked about.
#[derive(Debug, Clone, Copy)]
enum Subject<'a> {
    All { problems: bool },
    One(&'a str),
}

/// What there is to show.
enum Seen {
    All(Overview),
    One(Box<One>),
}

/// One heartbeat, and what the daemon tells beside it.
struct One {
    beat: Beat,
    runs: Beside<Vec<Run>>,
    deliveries: Beside<Vec<Delivery>>,
}

/// A list that comes newest first, or why it is not known; `None` when an earlier version has no such list.
type Beside<T> = Option<Result<T, Fault>>;

/// Asks, prints, and gives the exit code of a monitoring plugin.
pub(super) fn status(arguments: &Arguments) -> u8 {
    let slug = arguments.slug.as_deref();
    if slug.is_some_and(|slug| !is_name(slug)) {
        return exit::USAGE;
    }
    let subject = slug.map_or(Subject::All { problems: arguments.problems }, Subject::One);
    run(async {
        match (Daemon::at(&arguments.daemon.url), arguments.json, arguments.watch) {
            (Ok(daemon), true, _) => programs(&daemon, subject).await,
            (Ok(daemon), false, true) => watch::watch(&daemon, subject).await,
            (Ok(daemon), false, false) => {
                let paint = Paint::on(&std::io::stdout());
                let (line, rest) = match Seen::ask(&daemon, subject, None).await {
                    Ok(seen) => seen.show(SystemClock.now(), paint, usize::MAX, screen::size().columns),
                    Err(fault) => (Line::unknown(&fault.to_string()), String::new()),
                };
                print(whole(&line, &rest, paint).as_bytes(), line.verdict.code())
            }
            (Err(fault), true, _) => refuse(&fault),
            (Err(fault), false, _) => {
                let line = Line::unknown(&fault.to_string());
                print(whole(&line, "", Paint(false)).as_bytes(), line.verdict.code())
            }
        }
    })
}

/// The plugin's line with its performance data, and what follows for people.
fn whole(line: &Line, rest: &str, paint: Paint) -> String {
    let gap = if rest.is_empty() { "" } else { "\n" };
    format!("{}\n{gap}{rest}", line.whole(paint))
}

/// The answers of the API as they are.
async fn programs(daemon: &Daemon, subject: Subject<'_>) -> u8 {
    let answer = match subject {
        Subject::One(slug) => daemon.get(&format!("heartbeats/{slug}")).await.map(|beat: Value| vec![beat]),
        Subject::All { problems } => overview::values(daemon, Wanted { problems, rows: None }).await,
    };
    let verdict = |values: &[Value]| {
        let beats = values.iter().map(|value| daemon.read::<Beat>(value)).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, Fault>(Verdict::of_all(beats.iter().map(|beat| beat.status)))
    };
    match answer.and_then(|values| Ok((verdict(&values)?, values))) {
        Ok((verdict, mut values)) => {
            let shown = match subject {
                Subject::One(_) => values.swap_remove(0),
                Subject::All { .. } => json!({ "heartbeats": values }),
            };
            print(format!("{shown:#}\n").as_bytes(), verdict.code())
        }
        Err(fault) => refuse(&fault),
    }
}

fn refuse(fault: &Fault) -> u8 {
    complain(&fault.to_string());
    Verdict::Unknown.code()
}

impl Seen {
    /// Of all heartbeats, `rows` of them if that many fit; `None` is as many as there are.
    async fn ask(daemon: &Daemon, subject: Subject<'_>, rows: Option<usize>) -> Result<Self, Fault> {
        let slug = match subject {
            Subject::All { problems } => {
                return Overview::ask(daemon, Wanted { problems, rows }).await.map(Self::All);
            }
            Subject::One(slug) => slug,
        };
        let beat: Beat = daemon.get(&format!("heartbeats/{slug}")).await?;
        // It may have been asked for by its UUID.
        let slug: String = form_urlencoded::byte_serialize(beat.slug.as_bytes()).collect();
        let runs = format!("heartbeats/{slug}/runs?limit={}", chart::RUNS);
        let deliveries = format!("deliveries?heartbeat={slug}&limit={}", alerts::LOOK);
        let (runs, deliveries) =
            tokio::join!(beside::<Runs>(daemon, &runs), beside::<Deliveries>(daemon, &deliveries));
        let runs = runs.map(|known| known.map(|list| list.runs));
        let deliveries = deliveries.map(|known| known.map(|list| list.deliveries));
        Ok(Self::One(Box::new(One { beat, runs, deliveries })))
    }

    /// The plugin's line, and what follows it: a table of at most `rows` lines, or one heartbeat with a chart
    /// of at most `columns`.
    fn show(&self, now: Timestamp, paint: Paint, rows: usize, columns: usize) -> (Line, String) {
        match self {
            Self::All(overview) => (Line::of_all(overview), table::table(overview, now, paint, rows)),
            Self::One(one) => {
                let One { beat, runs, deliveries } = &**one;
                let alerts = match deliveries {
                    Some(Ok(deliveries)) => alerts::alerts(deliveries, beat, now),
                    Some(Err(fault)) => vec![plain(&format!("not known: {fault}"))],
                    None => Vec::new(),
                };
                let runs = match runs {
                    Some(Ok(runs)) => format!("\n{}", chart::chart(runs, now, paint, columns)),
                    Some(Err(fault)) => format!("\nThe last runs are not known: {fault}\n"),
                    None => String::new(),
                };
                (Line::of_one(beat, now), detail::detail(beat, &alerts, now, paint) + &runs)
            }
        }
    }
}

/// What is shown when it is there; that it is not makes the rest no worse.
async fn beside<T: DeserializeOwned>(daemon: &Daemon, path: &str) -> Beside<T> {
    match daemon.get(path).await {
        Ok(list) => Some(Ok(list)),
        // A daemon of an earlier version has no such list.
        Err(Fault::Refused(refusal)) if refusal.status == 404 => None,
        Err(fault) => Some(Err(fault)),
    }
}
