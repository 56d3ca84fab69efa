//! What the texts of a heartbeat may be, whoever writes them: they stand in log lines, on terminals, in messages
//! and in lists of thousands.

/// Characters of a name, a host or a tag at the most.
pub const LINE_MAX: usize = 255;
/// Characters of a description at the most.
pub const DESCRIPTION_MAX: usize = 10_000;
/// Characters of a calendar expression at the most.
pub const EXPRESSION_MAX: usize = 1_000;
/// Calendar expressions of a schedule at the most.
pub const EXPRESSIONS_MAX: usize = 100;
/// Exclusions of a heartbeat at the most.
pub const EXCLUSIONS_MAX: usize = 1_000;
/// Tags of a heartbeat at the most.
pub const TAGS_MAX: usize = 100;

/// Why a text cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing to read, or too much.
    #[error("must have 1 to {LINE_MAX} characters, not {0}")]
    Length(usize),
    /// Too much.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// A line end where there must be none.
    #[error("must be one line")]
    Lines,
    /// Something that no text has.
    #[error("must hold no control character such as {0:?}")]
    Control(char),
}

/// A name or a host: one line with something in it.
///
/// # Errors
/// [`TextError`]
pub fn line(text: &str) -> Result<(), TextError> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > LINE_MAX {
        return Err(TextError::Length(length));
    }
    without_control(text)
}

/// A tag, or the name of a time zone: one line.
///
/// # Errors
/// [`TextError`]
pub fn word(text: &str) -> Result<(), TextError> {
    at_most(text, LINE_MAX)?;
    without_control(text)
}

/// A description: lines.
///
/// # Errors
/// [`TextError`]
pub fn description(text: &str) -> Result<(), TextError> {
    at_most(text, DESCRIPTION_MAX)?;
    let control = text.chars().find(|letter| letter.is_control() && !"\r\n".contains(*letter));
    control.map_or(Ok(()), |control| Err(TextError::Control(control)))
}

/// A calendar expression, before it is read.
///
/// # Errors
/// [`TextError`]
pub fn expression(text: &str) -> Result<(), TextError> {
    at_most(text, EXPRESSION_MAX)?;
    // A line of a crontab may have tabs.
    without_control(&text.replace('\t', " "))
}

fn at_most(text: &str, max: usize) -> Result<(), TextError> {
    if text.chars().count() > max { Err(TextError::TooLong(max)) } else { Ok(()) }
}

fn without_control(text: &str) -> Result<(), TextError> {
    match text.chars().find(|letter| letter.is_control()) {
        None => Ok(()),
        Some('\n' | '\r') => Err(TextError::Lines),
        Some(control) => Err(TextError::Control(control)),
    }
}
