//! Where a long file may be cut, so that only a piece of it is in memory as TOML: what is read of a million heartbeats at once
//! takes 2 GB. Knows headers; never knows what a key means.
//!
//! A cut within a text or list over several lines leaves a piece before it that is no TOML, so who reads pieces without an
//! error has read what the file says. Where a name might be written in a way that hides it, nothing is cut.

/// Heartbeats of a piece.
pub(super) const PIECE: usize = 500;

/// The bytes at which the file is cut: before the header of every `piece`th heartbeat, but the first.
pub(super) fn cuts(text: &str, piece: usize) -> Vec<usize> {
    let (mut cuts, mut headers, mut at) = (Vec::new(), 0, 0);
    for line in text.split_inclusive('\n') {
        if is_odd(line) {
            return Vec::new();
        }
        if line.trim_start().starts_with('[') {
            match header(line) {
                // Where the table of all has a header, two of them in two pieces would not be found.
                Header::All => return Vec::new(),
                Header::One => {
                    if headers > 0 && headers % piece == 0 {
                        cuts.push(at);
                    }
                    headers += 1;
                }
                Header::Other => {}
            }
        }
        at += line.len();
    }
    cuts
}

enum Header {
    /// `[heartbeats]`
    All,
    /// `[heartbeats.backup]`, in the plainest way.
    One,
    Other,
}

/// Whether a line may be about the table of all heartbeats in a way that is not looked through: by an escape in its
/// name, or as a key.
fn is_odd(line: &str) -> bool {
    let plain = line.trim_start().trim_start_matches(['"', '\'']);
    plain
        .strip_prefix("heartbeats")
        .is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(['=', '.']))
}

fn header(line: &str) -> Header {
    let slug = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let one = line.strip_prefix("[heartbeats.").and_then(|rest| rest.split_once(']'));
    if one.is_some_and(|(name, _)| !name.is_empty() && name.chars().all(slug)) {
        return Header::One;
    }
    let name = line.split_once(']').map_or(line, |(name, _)| name);
    if name.contains('\\') {
        return Header::All;
    }
    let plain = line.chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\''));
    if plain.take_while(|c| *c != ']').eq("[heartbeats".chars()) { Header::All } else { Header::Other }
}
