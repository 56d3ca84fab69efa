//! The files of a config put together: includes, references, duplicates. Collects every problem; never
//! knows what the keys of a table mean.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use crate::config::channel::{ChannelConfig, channel};
use crate::config::heartbeat::{Known, defaults, draft};
use crate::config::problem::{Place, Problem, Problems, closest};
use crate::config::raw::{File, Item, Reader, Section};
use crate::config::schedule::Schedules;
use crate::config::server::{server, state, warn_of_empty_pages};
use crate::config::{Config, Declared, Sources, pieces, syntax, uuids};
use crate::model::channel::ChannelName;
use crate::model::heartbeat::{Defaults, HEARTBEATS_MAX, namespace};
use crate::model::id::{Slug, SlugError};
use crate::model::schedule::Zones;

pub(super) const ROOT: [&str; 6] = ["include", "server", "state", "defaults", "channels", "heartbeats"];
const INCLUDED: [&str; 2] = ["channels", "heartbeats"];

pub(super) fn config(path: &Path, sources: &dyn Sources, zones: &Zones) -> Result<Config, Vec<Problem>> {
    in_pieces(path, sources, zones, pieces::PIECE)
}

/// Reads long files in pieces of so many heartbeats. What is wrong is told of the whole.
pub(super) fn in_pieces(
    path: &Path,
    sources: &dyn Sources,
    zones: &Zones,
    piece: usize,
) -> Result<Config, Vec<Problem>> {
    read(path, sources, zones, piece).or_else(|wrong| match wrong {
        Wrong::Problems(problems) => Err(problems),
        Wrong::InPieces => match read(path, sources, zones, usize::MAX) {
            Ok(config) => Ok(config),
            Err(Wrong::Problems(problems)) => Err(problems),
            Err(Wrong::InPieces) => unreachable!("no file has so many heartbeats"),
        },
    })
}

/// Why there is no config.
enum Wrong {
    Problems(Vec<Problem>),
    /// Something is wrong in a file that was read in pieces.
    InPieces,
}

fn read(path: &Path, sources: &dyn Sources, zones: &Zones, piece: usize) -> Result<Config, Wrong> {
    let mut reader = Reader { sources, zones, problems: Problems::default(), warnings: Problems::default() };
    let main = match sources.read(path) {
        Ok(text) => File::new(path, text, piece),
        Err(error) => {
            let place = File::new(path, String::new(), piece).text.place(0);
            return Err(Wrong::Problems(vec![place.problem(
                format!("the config cannot be read: {error}; name another with --config or $OVERDUE_CONFIG"),
                None,
            )]));
        }
    };
    let (main_table, main_broken) = parse(&mut reader, &main);
    let main_root =
        Section { file: &main, table: &main_table, title: "the config".to_owned(), at: 0, base: 0 };
    let includes = if main_broken { Vec::new() } else { includes(&mut reader, path, &main_root, piece) };
    let parsed: Vec<_> = includes.iter().map(|file| parse(&mut reader, file)).collect();
    let partial = main_broken || parsed.iter().any(|(_, broken)| *broken) || !reader.problems.is_empty();

    // A broken table would only bring problems that are none: its file has told enough already.
    let mut roots = Vec::new();
    if !main_broken {
        main_root.known(&mut reader, &ROOT, &[("heartbeat", "heartbeats"), ("channel", "channels")]);
        roots.push(main_root);
    }
    for (file, (table, broken)) in includes.iter().zip(&parsed) {
        let root = Section { file, table, title: "an included file".to_owned(), at: 0, base: 0 };
        if !broken {
            known_in_include(&mut reader, &root);
            roots.push(root);
        }
    }
    let all = || std::iter::once(&main).chain(&includes);
    let files: Vec<Arc<str>> = all().map(|file| file.text.place(0).file).collect();
    let cut = all().any(|file| file.pieces().count() > 1);
    let mut assembly = Assembly { reader: &mut reader, main: &main, roots: &roots, partial, torn: false };
    let config = assembly.config();
    if cut && (assembly.torn || !reader.problems.is_empty()) {
        return Err(Wrong::InPieces);
    }
    if reader.problems.is_empty() {
        return Ok(Config { warnings: reader.warnings.into_sorted(&files), ..config });
    }
    Err(Wrong::Problems(reader.problems.into_sorted(&files)))
}

/// The first piece of a file.
fn parse<'t>(reader: &mut Reader<'_>, file: &'t File) -> (DeTable<'t>, bool) {
    let text = file.pieces().next().map_or("", |(_, text)| text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for problem in syntax::problems(&file.text, &errors) {
        reader.problems.add(problem);
    }
    (table.into_inner(), !errors.is_empty())
}

/// The included files, each once, in the order of the patterns and of their names.
fn includes(reader: &mut Reader<'_>, main: &Path, root: &Section<'_>, piece: usize) -> Vec<File> {
    // "./a" and "a" are one file.
    let plain =
        |path: &Path| -> PathBuf { path.components().filter(|part| *part != Component::CurDir).collect() };
    let mut files = BTreeSet::from([plain(main)]);
    let mut read = Vec::new();
    let Some(patterns) = root.get("include").and_then(|item| match item.value.as_str() {
        Some(text) => Some(vec![(text, item)]),
        None => item.strs(reader, "patterns"),
    }) else {
        return read;
    };
    for (pattern, item) in patterns {
        let matches = match reader.sources.glob(&item.file.folder().join(pattern)) {
            Ok(matches) => matches,
            Err(error) => {
                item.problem(reader, format!("the pattern {pattern:?} cannot be followed: {error}"));
                continue;
            }
        };
        // A name without wildcards is a wish for this one file.
        if matches.is_empty() && !pattern.contains(['*', '?', '[']) {
            item.problem(reader, format!("there is no file {pattern:?} to include"));
        }
        let mut matches = matches;
        matches.sort();
        for path in matches {
            if !files.insert(plain(&path)) {
                continue;
            }
            match reader.sources.read(&path) {
                Ok(text) => read.push(File::new(&path, text, piece)),
                Err(error) => {
                    item.problem(reader, format!("the file {} cannot be read: {error}", path.display()));
                }
            }
        }
    }
    read
}

/// An included file holds heartbeats and channels, nothing else.
fn known_in_include(reader: &mut Reader<'_>, root: &Section<'_>) {
    for item in root.items().filter(|item| !INCLUDED.contains(&item.name)) {
        let (what, meant) = if ROOT.contains(&item.name) {
            let what = format!(
                "{} may stand in the main file only; included files hold [heartbeats.*] and [channels.*]",
                item.name
            );
            (what, None)
        } else {
            (format!("unknown key {:?} in an included file", item.name), closest(item.name, INCLUDED))
        };
        reader.problems.add(item.key_place().problem(what, meant));
    }
}

/// Puts the tables of all files together.
struct Assembly<'a, 's, 't> {
    reader: &'a mut Reader<'s>,
    main: &'t File,
    roots: &'a [Section<'t>],
    partial: bool,
    /// The pieces of a file do not say what it says as a whole.
    torn: bool,
}

impl<'t> Assembly<'_, '_, 't> {
    fn config(&mut self) -> Config {
        let main = self.roots.first().filter(|root| std::ptr::eq(root.file, self.main)).cloned();
        let section = |reader: &mut _, key: &str| {
            let item = main.as_ref().and_then(|root| root.get(key))?;
            item.table(reader, format!("[{key}]"))
        };
        let of_server = section(self.reader, "server");
        let server = server(self.reader, of_server.as_ref());
        let of_state = section(self.reader, "state");
        let state = state(self.reader, self.main, of_state.as_ref());
        let of_defaults = section(self.reader, "defaults");
        let (channels, names) = self.channels();
        let mut known = Known { channels: &names, partial: self.partial, schedules: Schedules::default() };
        let defaults = match &of_defaults {
            Some(section) => defaults(self.reader, &mut known, section),
            None => Defaults::default(),
        };
        let mut heartbeats = self.heartbeats(&mut known, &defaults);
        self.further_heartbeats(&mut known, &defaults, &mut heartbeats);
        heartbeats.sort_by(|a, b| a.slug.cmp(&b.slug));
        self.torn |= heartbeats.len() > HEARTBEATS_MAX;
        self.torn |= heartbeats.windows(2).any(|two| two[0].slug == two[1].slug);
        if let Some(section) = &of_server {
            warn_of_empty_pages(self.reader, section, &defaults, &heartbeats);
        }
        let namespace = server.ping_key.as_ref().map(|key| namespace(key.expose()));
        for conflict in uuids::conflicts(&heartbeats, namespace) {
            self.reader.problems.add(conflict);
        }
        Config { server, state, defaults, channels, heartbeats, warnings: Vec::new() }
    }

    /// The tables under `key` of every file, each name once.
    fn tables(&mut self, key: &str, kind: &str) -> Vec<Item<'t>> {
        let mut first: BTreeMap<&str, Place> = BTreeMap::new();
        let mut items = Vec::new();
        for root in self.roots {
            let Some(all) = root.get(key).and_then(|item| item.table(self.reader, key)) else { continue };
            for item in all.items() {
                let place = item.key_place();
                if let Some(first) = first.get(item.name) {
                    let what = format!(
                        "the {kind} {} stands here a second time; the first is at {first}",
                        item.name
                    );
                    self.reader.problems.add(place.problem(what, None));
                } else {
                    first.insert(item.name, place);
                    items.push(item);
                }
            }
        }
        items
    }

    fn channels(&mut self) -> (BTreeMap<ChannelName, ChannelConfig>, BTreeSet<String>) {
        let log = (ChannelName::new(ChannelName::LOG), ChannelConfig::Log);
        let mut channels = BTreeMap::from([log]);
        let mut names = BTreeSet::new();
        for item in self.tables("channels", "channel") {
            // A channel that is wrong is there all the same: who names it is not to blame.
            names.insert(item.name.to_owned());
            self.named(&item, "name of a channel");
            let Some(section) = item.table(self.reader, format!("[channels.{}]", item.name)) else {
                continue;
            };
            if let Some(channel) = channel(self.reader, &section, item.name) {
                channels.insert(ChannelName::new(item.name), channel);
            }
        }
        (channels, names)
    }

    fn heartbeats(&mut self, known: &mut Known<'_>, defaults: &Defaults) -> Vec<Declared> {
        let items = self.tables("heartbeats", "heartbeat");
        if let Some(item) = items.get(HEARTBEATS_MAX) {
            let what = format!("{} heartbeats are more than the 1,000,000 that there may be", items.len());
            self.reader.problems.add(item.key_place().problem(what, None));
        }
        let mut heartbeats = Vec::with_capacity(items.len());
        for item in items {
            heartbeats.extend(self.heartbeat(known, defaults, &item));
        }
        heartbeats
    }

    /// Those of the further pieces of each file. Beside heartbeats these hold nothing, and no heartbeat twice.
    fn further_heartbeats(
        &mut self,
        known: &mut Known<'_>,
        defaults: &Defaults,
        heartbeats: &mut Vec<Declared>,
    ) {
        for root in self.roots {
            for (base, text) in root.file.pieces().skip(1) {
                let Ok(table) = DeTable::parse(text) else {
                    self.torn = true;
                    return;
                };
                let piece = Section { table: table.get_ref(), base, ..root.clone() };
                for item in piece.items() {
                    let all = Some(&item).filter(|item| item.name == "heartbeats");
                    let Some(all) = all.and_then(|item| item.table(self.reader, "heartbeats")) else {
                        self.torn = true;
                        return;
                    };
                    for item in all.items() {
                        heartbeats.extend(self.heartbeat(known, defaults, &item));
                    }
                }
            }
        }
    }

    fn heartbeat(&mut self, known: &mut Known<'_>, defaults: &Defaults, item: &Item<'_>) -> Option<Declared> {
        let slug = self.named(item, "slug");
        let section = item.table(self.reader, format!("[heartbeats.{}]", item.name))?;
        let draft = draft(self.reader, known, &section, defaults);
        Some(Declared { slug: slug?, draft: draft?, place: item.key_place() })
    }

    /// The key as a slug; channels have names of the same shape.
    fn named(&mut self, item: &Item<'_>, kind: &str) -> Option<Slug> {
        match Slug::new(item.name) {
            Ok(slug) => Some(slug),
            Err(error) => {
                let why = match error {
                    SlugError::Shape => {
                        "1 to 100 of a-z, 0-9, '-' and '_' are allowed, a letter or digit first"
                    }
                    SlugError::Uuid => "it reads as a UUID, and would be taken for one in a ping URL",
                };
                let what = format!("{:?} is no {kind}: {why}", item.name);
                let problem = item.key_place().problem(what, slugged(item.name));
                self.reader.problems.add(problem);
                None
            }
        }
    }
}

/// The name as it could stand in a URL.
fn slugged(name: &str) -> Option<String> {
    let plain: String = name
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .collect();
    let plain = plain.trim_matches(['-', '_']);
    Slug::new(plain).ok().map(|slug| slug.to_string())
}
