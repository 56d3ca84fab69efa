//! Makes a slug of a name: folded to ASCII, in small letters, the rest as hyphens. Pure.

use deunicode::deunicode_with_tofu;

use crate::model::id::Slug;

/// The slug of a name; `None` when nothing of it is left, or it would read as a UUID.
pub(super) fn slug_of(name: &str) -> Option<Slug> {
    let mut text = String::new();
    for c in deunicode_with_tofu(name, " ").chars().flat_map(char::to_lowercase) {
        let kept = c.is_ascii_lowercase() || c.is_ascii_digit() || (c == '_' && !text.is_empty());
        if kept {
            text.push(c);
        } else if !text.is_empty() && !text.ends_with('-') {
            text.push('-');
        }
    }
    text.truncate(100);
    Slug::new(text.trim_end_matches('-')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_folded_to_a_slug() {
        for (name, slug) in [
            ("Backup PostgreSQL", "backup-postgresql"),
            ("  Backup -- PostgreSQL!  ", "backup-postgresql"),
            ("Größe prüfen", "grosse-prufen"),
            ("Ærø über Łódź", "aero-uber-lodz"),
            ("备份", "bei-fen"),
            ("nightly_job", "nightly_job"),
            ("_private", "private"),
            ("db1/backup (weekly)", "db1-backup-weekly"),
            ("007", "007"),
            (&"a ".repeat(200), &"a-".repeat(50)[..99]),
        ] {
            assert_eq!(slug_of(name).map(|slug| slug.to_string()).as_deref(), Some(slug), "{name}");
        }
    }

    #[test]
    fn a_name_that_leaves_nothing_gives_none() {
        for name in ["", "   ", "!?", "___", "67e55044-10b1-426f-9247-bb680e5fe0c8", "\u{e000}"] {
            assert_eq!(slug_of(name), None, "{name}");
        }
    }
}
