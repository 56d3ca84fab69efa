//! Secret values: from the file itself, the environment, another file or a systemd credential. Knows how to
//! keep them out of every text; never knows what they open.

use std::fmt;
use std::path::{Component, Path};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::config::raw::{Item, Reader};

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes a value.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The value, for the one who uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its SHA-256.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

const SOURCES: [&str; 3] = ["env", "file", "credential"];

impl Item<'_> {
    /// A secret: a string, or a table that says where it is.
    pub(super) fn secret(&self, reader: &mut Reader<'_>) -> Option<Secret> {
        if let Some(text) = self.value.as_str() {
            return self.checked(reader, text, "this secret");
        }
        if !self.value.is_table() {
            self.problem(
                reader,
                format!("{} must be a string, or say where it is: {{ env = \"NAME\" }}, {{ file = \"path\" }} or {{ credential = \"name\" }}", self.name),
            );
            return None;
        }
        let table = self.table(reader, self.name)?;
        table.known(reader, &SOURCES, &[]);
        let given: Vec<_> = SOURCES.iter().filter_map(|key| table.get(key)).collect();
        let [source] = given.as_slice() else {
            self.problem(reader, format!("{} needs exactly one of env, file and credential", self.name));
            return None;
        };
        let name = source.str(reader)?;
        match source.name {
            "env" => match reader.sources.env(name) {
                Some(value) => source.checked(reader, &value, &format!("the environment variable {name}")),
                None => source.refuse(reader, format!("the environment variable {name} is not set")),
            },
            "file" => {
                let path = source.file.folder().join(name);
                source.file_text(reader, &path, "the file")
            }
            _ => source.credential(reader, name),
        }
    }

    fn credential(&self, reader: &mut Reader<'_>, name: &str) -> Option<Secret> {
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return self.refuse(
                reader,
                format!("{name:?} is no name of a credential; write the name alone, without a path"),
            );
        }
        let Some(folder) = reader.sources.credentials_directory() else {
            return self.refuse(
                reader,
                format!("the credential {name:?} cannot be read: $CREDENTIALS_DIRECTORY is not set. Start overdue by systemd with LoadCredential={name}:…, or use {{ file = … }}"),
            );
        };
        self.file_text(reader, &folder.join(name), "the credential")
    }

    fn file_text(&self, reader: &mut Reader<'_>, path: &Path, what: &str) -> Option<Secret> {
        match reader.sources.read_short(path) {
            Ok(text) => self.checked(reader, &text, &format!("{what} {}", path.display())),
            Err(error) => self.refuse(reader, format!("{what} {} cannot be read: {error}", path.display())),
        }
    }

    /// Cuts one newline, as editors and `echo` leave one.
    fn checked(&self, reader: &mut Reader<'_>, text: &str, what: &str) -> Option<Secret> {
        let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
        if text.trim().is_empty() {
            return self.refuse(reader, format!("{what} is empty"));
        }
        Some(Secret::new(text))
    }

    fn refuse(&self, reader: &mut Reader<'_>, what: String) -> Option<Secret> {
        self.problem(reader, what);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::new("hunter2-hunter2-hunter2");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)).matches("hunter").count(), 0);
        assert_eq!(secret.expose(), "hunter2-hunter2-hunter2");
    }
}
