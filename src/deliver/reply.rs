//! From a receiver's answer to a verdict: status, `Retry-After` and what it says.
//! Never knows how the answer was had, nor what follows from the verdict.

use http::{HeaderMap, StatusCode, header};
use reqwest::Url;

use crate::model::delivery::Verdict;
use crate::model::time::{Span, Timestamp};

/// The longest wait that a receiver can ask for.
pub(super) const RETRY_AFTER_MAX: Span = Span::from_secs(3_600);

/// The verdict on an answer from `place`, heard at `now`. `said` is what an error may repeat.
pub(super) fn verdict(
    status: StatusCode,
    headers: &HeaderMap,
    said: &str,
    place: &str,
    now: Timestamp,
) -> Verdict {
    let code = status.as_u16();
    if status.is_success() {
        return Verdict::Delivered { status: Some(code) };
    }
    let said = match said {
        "" => String::new(),
        said => format!(": {said}"),
    };
    if status == StatusCode::GONE {
        let error = format!("HTTP 410 from {place}: the receiver is gone for good{said}");
        return Verdict::Refused { status: Some(code), error };
    }
    let error = match headers.get(header::LOCATION).filter(|_| status.is_redirection()) {
        Some(location) => {
            let to = location
                .to_str()
                .ok()
                .and_then(|text| Url::parse(text).ok())
                .and_then(|url| url.host_str().map(str::to_owned))
                .unwrap_or_else(|| "another path of it".to_owned());
            format!(
                "HTTP {code} from {place}: it redirects to {to}, and redirects are not followed; \
                 set the channel's url to the final address"
            )
        }
        None => format!("HTTP {code} from {place}{said}"),
    };
    Verdict::Failed { status: Some(code), error, retry_after: retry_after(headers, now) }
}

/// `Retry-After`: seconds (some senders give fractions) or an HTTP date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Span> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let number = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    let span = if number {
        let seconds: f64 = text.parse().ok()?;
        Span::from_millis((seconds * 1_000.0).ceil() as i64)
    } else {
        let date = jiff::fmt::rfc2822::parse(text).ok()?;
        Timestamp::from_jiff(date.timestamp()).since(now)
    };
    Some(span.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, pairs: &[(&'static str, &str)], said: &str) -> Verdict {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        let now = Timestamp::from_jiff("2026-11-22T03:00:00Z".parse().unwrap());
        verdict(StatusCode::from_u16(status).unwrap(), &headers, said, "h:1", now)
    }

    #[track_caller]
    fn waits(header: &str, expected: Option<Span>) {
        let Verdict::Failed { retry_after, .. } = answer(503, &[("retry-after", header)], "") else {
            panic!("503 is a failure");
        };
        assert_eq!(retry_after, expected, "{header}");
    }

    #[test]
    fn every_2xx_delivers_410_refuses_and_the_rest_fails() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(answer(status, &[], "x"), Verdict::Delivered { status: Some(status) });
        }
        assert!(matches!(answer(410, &[], ""), Verdict::Refused { status: Some(410), .. }));
        for status in [300, 304, 400, 401, 404, 409, 411, 429, 500, 503, 599] {
            assert!(
                matches!(answer(status, &[], ""), Verdict::Failed { status: Some(s), .. } if s == status)
            );
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped_at_an_hour() {
        waits("120", Some(Span::from_secs(120)));
        waits(" 0 ", Some(Span::ZERO));
        waits("0.25", Some(Span::from_millis(250)));
        waits("86400", Some(RETRY_AFTER_MAX));
        waits("99999999999999999999999999", Some(RETRY_AFTER_MAX));
        waits("Sun, 22 Nov 2026 03:05:00 GMT", Some(Span::from_secs(300)));
        waits("Sun, 22 Nov 2026 02:05:00 GMT", Some(Span::ZERO));
        waits("Tue, 22 Nov 2089 03:05:00 GMT", Some(RETRY_AFTER_MAX));
        for nonsense in ["", "-1", "soon", "1.2.3", "1e3", "NaN", "Someday, 22 Nov"] {
            waits(nonsense, None);
        }
    }

    #[test]
    fn a_redirect_names_the_host_alone() {
        let Verdict::Failed { error, .. } =
            answer(302, &[("location", "https://u:p@other.example.org:8443/secret?token=1")], "moved")
        else {
            panic!("a redirect is a failure");
        };
        assert!(error.contains("redirects to other.example.org,"), "{error}");
        assert!(!error.contains("secret") && !error.contains("token") && !error.contains("u:p"), "{error}");
        let Verdict::Failed { error, .. } = answer(307, &[("location", "/secret")], "") else {
            panic!("a redirect is a failure");
        };
        assert!(error.contains("another path") && !error.contains("secret"), "{error}");
    }
}
