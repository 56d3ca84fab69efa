//! The secret part of a public address: what it is of, under deterministic authenticated encryption with a key of
//! the daemon. So it is the same over restarts, tells nothing, and cannot be made by others. The construction is
//! SIV (Rogaway and Shrimpton, 2006): a code over the text is sealed with it, and begins the stream that hides it;
//! code and stream are HMAC-SHA256. It must never know how what it names stands.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::http::session::code;

/// Bytes of the code.
const CODE: usize = 16;
/// The length of what is sealed is a multiple of this.
const STEP: usize = 16;
/// And at least this, so that most tokens have one length, whatever they are of.
const LEAST: usize = 32;

/// What an address is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The badge of a heartbeat.
    Heartbeat(Uuid),
    /// The badge of all heartbeats with a tag.
    Tag(String),
    /// The badge of all heartbeats.
    All,
    /// The status page of a tag.
    Page(String),
}

/// The token of it.
pub(crate) fn seal(server_key: &[u8; 32], kind: &Kind) -> String {
    let mut text = written(kind);
    let mut sealed = synthetic(server_key, &text).to_vec();
    hide(server_key, &sealed, &mut text);
    sealed.extend(text);
    URL_SAFE_NO_PAD.encode(sealed)
}

/// What a token is of, if it is one of ours.
pub(crate) fn open(server_key: &[u8; 32], token: &str) -> Option<Kind> {
    let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (code, hidden) = sealed.split_at_checked(CODE)?;
    let mut text = hidden.to_vec();
    hide(server_key, code, &mut text);
    bool::from(synthetic(server_key, &text).ct_eq(code)).then(|| read(&text)).flatten()
}

fn synthetic(server_key: &[u8; 32], text: &[u8]) -> [u8; CODE] {
    let whole = code(server_key, "address code", &[text]);
    std::array::from_fn(|at| whole[at])
}

/// Hides a text, or shows it again.
fn hide(server_key: &[u8; 32], beginning: &[u8], text: &mut [u8]) {
    for (number, block) in (0_u32..).zip(text.chunks_mut(32)) {
        let stream = code(server_key, "address stream", &[beginning, &number.to_be_bytes()]);
        for (byte, other) in block.iter_mut().zip(stream) {
            *byte ^= other;
        }
    }
}

/// One letter for the kind, the length of the text in two bytes, the text, and noughts.
fn written(kind: &Kind) -> Vec<u8> {
    let (letter, text) = match kind {
        Kind::Heartbeat(uuid) => (b'h', &uuid.as_bytes()[..]),
        Kind::Tag(tag) => (b't', tag.as_bytes()),
        Kind::All => (b'a', &[][..]),
        Kind::Page(tag) => (b'p', tag.as_bytes()),
    };
    // A tag has at most 255 characters.
    let mut bytes = vec![letter];
    bytes.extend((text.len() as u16).to_be_bytes());
    bytes.extend(text);
    let length = bytes.len().next_multiple_of(STEP).max(LEAST);
    bytes.resize(length, 0);
    bytes
}

fn read(bytes: &[u8]) -> Option<Kind> {
    let (&[letter, high, low], rest) = bytes.split_first_chunk::<3>()?;
    let text = rest.get(..usize::from(u16::from_be_bytes([high, low])))?;
    let tag = || Some(std::str::from_utf8(text).ok()?.to_owned());
    match letter {
        b'h' => Some(Kind::Heartbeat(Uuid::from_slice(text).ok()?)),
        b't' => Some(Kind::Tag(tag()?)),
        b'a' => Some(Kind::All),
        b'p' => Some(Kind::Page(tag()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const KEY: [u8; 32] = [7; 32];

    fn any_kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            any::<u128>().prop_map(|uuid| Kind::Heartbeat(Uuid::from_u128(uuid))),
            "\\PC{1,255}".prop_map(Kind::Tag),
            Just(Kind::All),
            "\\PC{1,255}".prop_map(Kind::Page),
        ]
    }

    proptest! {
        #[test]
        fn a_token_opens_to_what_it_was_made_of_with_its_key_only(kind in any_kind()) {
            let token = seal(&KEY, &kind);
            prop_assert_eq!(open(&KEY, &token), Some(kind.clone()));
            prop_assert_eq!(&seal(&KEY, &kind), &token, "it stays the same");
            prop_assert_eq!(open(&[8; 32], &token), None);
            prop_assert!(token.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c)), "{}", token);
        }

        #[test]
        fn no_changed_token_opens(kind in any_kind(), at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_=.-]") {
            let token = seal(&KEY, &kind);
            let at = at.index(token.len());
            let mut changed = token.clone();
            changed.replace_range(at..=at, &to);
            prop_assert!(changed == token || open(&KEY, &changed).is_none());
            prop_assert_eq!(open(&KEY, &token[..at]), None);
            prop_assert_eq!(open(&KEY, &format!("{token}{to}")), None);
        }

        #[test]
        fn garbage_opens_nothing(text in "[A-Za-z0-9_-]{0,120}|\\PC{0,20}") {
            prop_assert_eq!(open(&KEY, &text), None);
        }

        #[test]
        fn what_is_read_never_makes_it_stumble(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(kind) = read(&bytes) {
                prop_assert_eq!(read(&written(&kind)), Some(kind));
            }
        }
    }

    #[test]
    fn the_length_tells_a_long_tag_from_a_short_one_in_steps_only() {
        let tag = |length: usize| Kind::Tag("x".repeat(length));
        let lengths =
            |kinds: &[Kind]| -> BTreeSet<usize> { kinds.iter().map(|kind| seal(&KEY, kind).len()).collect() };
        let short =
            [Kind::Heartbeat(Uuid::from_u128(1)), Kind::All, tag(1), tag(29), Kind::Page("x".to_owned())];
        assert_eq!(lengths(&short), [64].into());
        assert_eq!(lengths(&[tag(30), tag(45)]).len(), 1);
        assert_eq!(lengths(&[tag(45), tag(46)]).len(), 2);
    }

    #[test]
    fn two_tokens_have_nothing_in_common() {
        let tokens: Vec<String> =
            (0..200).map(|n| seal(&KEY, &Kind::Heartbeat(Uuid::from_u128(n)))).collect();
        let heads: BTreeSet<&str> = tokens.iter().map(|token| &token[..8]).collect();
        let tails: BTreeSet<&str> = tokens.iter().map(|token| &token[56..]).collect();
        assert_eq!((heads.len(), tails.len()), (200, 200));
        let tag = |kind: fn(String) -> Kind| seal(&KEY, &kind("db".to_owned()));
        assert_ne!(tag(Kind::Tag)[..8], tag(Kind::Page)[..8], "a badge does not lead to the page");
    }
}
