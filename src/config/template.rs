//! The body templates of channels: minijinja over the JSON of an alert, with bounds, so that no template
//! runs for ever or grows without end. Knows the names that a template may use and samples of every kind
//! of alert; never knows channels, files or how a body is sent.
//!
//! A template sees the keys of the JSON (`type`, `timestamp`, `data`) and, to be short, those of its
//! `data` beside them (`summary`, `heartbeat`, `incident`, `run`).

mod samples;

use std::io::{self, Write};

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;

pub use self::samples::samples;

/// Steps a template may take; the longest recipe takes some hundred.
const FUEL: u64 = 100_000;
/// Most bytes a body may have.
const BODY_MAX: usize = 1 << 20;

/// Why a template gives no body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not parse, or fails while it runs.
    #[error("line {line} of the template: {what}")]
    Failed {
        /// The line within the template, from 1.
        line: usize,
        /// What is wrong, without any value of the payload.
        what: String,
    },
    /// It took too many steps.
    #[error("the template does not come to an end; make its loops shorter")]
    Endless,
    /// The body is too large.
    #[error("the template makes a body of more than 1 MiB; make it shorter")]
    TooLarge,
    /// It was to give JSON, but gave something else.
    #[error(
        "the body is not JSON ({what}); write values as {{{{ summary | tojson }}}}, without quotes around \
         them, or set the header Content-Type to what the body is"
    )]
    NotJson {
        /// What the JSON parser says.
        what: String,
    },
}

/// Makes the body for a payload. What the payload does not have renders as nothing.
///
/// # Errors
/// When the template does not parse, fails, does not end, or makes too large a body.
pub fn render(template: &str, payload: &Value) -> Result<String, TemplateError> {
    render_with(template, payload, UndefinedBehavior::Chainable)
}

/// Tries a template on samples of every kind of alert, with names that hold quotes, newlines and emoji.
/// A name that no alert has is an error here, since it is a slip of the pen, though [`render`] forgives it.
/// With `json`, the bodies must be JSON.
///
/// # Errors
/// The first one that a sample gives.
pub fn check(template: &str, json: bool) -> Result<(), TemplateError> {
    render_with(template, &samples::full(), UndefinedBehavior::SemiStrict)?;
    for sample in samples() {
        let body = render(template, &sample)?;
        if json {
            serde_json::from_str::<serde::de::IgnoredAny>(&body)
                .map_err(|error| TemplateError::NotJson { what: error.to_string() })?;
        }
    }
    Ok(())
}

fn render_with(
    template: &str,
    payload: &Value,
    undefined: UndefinedBehavior,
) -> Result<String, TemplateError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(undefined);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    let template = environment.template_from_str(template).map_err(|error| failed(&error))?;
    let mut body = Bounded { bytes: Vec::new(), full: false };
    let outcome = template.render_captured_to(names(payload), &mut body);
    match outcome {
        Ok(_) => Ok(String::from_utf8(body.bytes).expect("minijinja writes whole strings")),
        Err(_) if body.full => Err(TemplateError::TooLarge),
        Err(error) => Err(failed(&error)),
    }
}

/// The payload's keys, with those of its `data` beside them.
fn names(payload: &Value) -> minijinja::Value {
    let mut names = payload.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(payload) = payload.as_object() {
        names.extend(payload.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    minijinja::value::Serde(names).into()
}

fn failed(error: &minijinja::Error) -> TemplateError {
    if error.kind() == minijinja::ErrorKind::OutOfFuel {
        return TemplateError::Endless;
    }
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    TemplateError::Failed { line: error.line().unwrap_or(1), what }
}

/// A buffer that refuses to grow above [`BODY_MAX`].
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > BODY_MAX {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload() -> Value {
        serde_json::json!({
            "type": "incident.opened",
            "data": { "summary": "a \"b\"\n💥 <c>", "run": null, "heartbeat": { "name": "N", "tags": ["x"] } },
        })
    }

    #[test]
    fn a_template_sees_the_payload_and_the_keys_of_its_data() {
        let body = render(
            r#"{"t": {{ type | tojson }}, "s": {{ summary | tojson }}, "d": {{ data.summary | tojson }}}"#,
            &payload(),
        )
        .unwrap();
        let json: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(json["t"], "incident.opened");
        assert_eq!(json["s"], "a \"b\"\n💥 <c>");
        assert_eq!(json["d"], json["s"]);
        assert_eq!(render("{{ summary }}", &payload()).unwrap(), "a \"b\"\n💥 <c>", "nothing is escaped");
    }

    #[test]
    fn what_is_not_there_renders_as_nothing() {
        for template in ["[{{ nothing }}]", "[{{ nothing.at.all }}]", "[{{ run.id }}]", "[{{ run.a.b }}]"] {
            assert_eq!(render(template, &payload()).unwrap(), "[]", "{template}");
        }
    }

    #[test]
    fn errors_name_the_line() {
        let error = render("one\n{{ summary | tojsn }}", &payload()).unwrap_err();
        assert!(
            matches!(&error, TemplateError::Failed { line: 2, what } if what.contains("tojsn")),
            "{error}"
        );
        assert!(matches!(render("{% if %}", &payload()), Err(TemplateError::Failed { line: 1, .. })));
    }

    #[test]
    fn a_hostile_template_ends() {
        let long = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
        assert_eq!(render(long, &payload()), Err(TemplateError::Endless));
        let large = "{% for a in range(999) %}{{ 'x' * 9999 }}{% endfor %}";
        assert_eq!(render(large, &payload()), Err(TemplateError::TooLarge));
    }

    #[test]
    fn a_slip_of_the_pen_is_found_by_the_check() {
        assert_eq!(check(r#"{"text": {{ summary | tojson }}}"#, true), Ok(()));
        assert_eq!(
            check(r#"{"text": {{ (run.exit_code or 0) | tojson }}}"#, true),
            Ok(()),
            "run may be null"
        );
        assert_eq!(check("{{ summary }}", false), Ok(()));
        assert!(matches!(check("{{ sumary }}", false), Err(TemplateError::Failed { .. })));
        assert!(matches!(check("{{ hearbeat.name | tojson }}", false), Err(TemplateError::Failed { .. })));
        assert!(matches!(check("{{ heartbeat.nmae }}", false), Err(TemplateError::Failed { .. })));
    }

    #[test]
    fn a_value_written_without_tojson_is_found_before_a_quote_breaks_it() {
        let naive = r#"{"text": "{{ summary }}"}"#;
        assert!(matches!(check(naive, true), Err(TemplateError::NotJson { .. })));
        assert_eq!(check(naive, false), Ok(()));
    }
}
