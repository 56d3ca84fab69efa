//! One file as text, if it is one: a FIFO that nobody writes to would be waited for without end, and a device has none.
//! Knows files and how large they may be; never knows what they say.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{OFlags, makedev};

const MIB: u64 = 1 << 20;
/// The most that a config may be: it is said once for a million heartbeats.
pub(super) const LONG: u64 = 1024 * MIB;
/// The most that a list of exclusions or a secret may be.
pub(super) const SHORT: u64 = 16 * MIB;

/// The text of a regular file of at most `most` bytes; `/dev/null` is an empty one.
pub(super) fn read(path: &Path, most: u64) -> io::Result<String> {
    // To open a FIFO would wait already; a terminal that is opened could become that of the daemon.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    let kind = found.file_type();
    if kind.is_char_device() && found.rdev() == makedev(1, 3) {
        return Ok(String::new());
    }
    // To read a folder has an error of its own, which says what it is.
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let text = bytes(file, found.len(), most)?;
    String::from_utf8(text).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// What is said of its length is taken for a hint: it may grow meanwhile.
fn bytes(file: File, len: u64, most: u64) -> io::Result<Vec<u8>> {
    let large =
        || io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} MiB", most / MIB));
    if len > most {
        return Err(large());
    }
    let mut text = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
    file.take(most + 1).read_to_end(&mut text)?;
    if text.len() as u64 > most { Err(large()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let error = |path: &Path| read(path, MIB).unwrap_err().to_string();

        fs::write(at("text"), "2026-12-25 # ä\n").unwrap();
        assert_eq!(read(&at("text"), MIB).unwrap(), "2026-12-25 # ä\n");
        assert_eq!(read(Path::new("/dev/null"), MIB).unwrap(), "");

        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from(0o600), 0).unwrap();
        for path in [at("fifo"), "/dev/zero".into()] {
            assert_eq!(error(&path), "it is no regular file", "{}", path.display());
        }
        assert!(error(home.path()).contains("directory"), "{}", error(home.path()));
        fs::write(at("bytes"), b"\xff").unwrap();
        assert_eq!(error(&at("bytes")), "it is not UTF-8");

        File::create(at("large")).unwrap().set_len(MIB).unwrap();
        assert_eq!(read(&at("large"), MIB).unwrap().len() as u64, MIB);
        File::create(at("larger")).unwrap().set_len(MIB + 1).unwrap();
        assert_eq!(error(&at("larger")), "it is larger than 1 MiB");
    }
}
