//! The signature of Standard Webhooks (<https://www.standardwebhooks.com>): HMAC-SHA256 over id, instant
//! and body. Knows how a secret is written; never knows where it comes from or where the body goes.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Standard base64, with or without padding: people paste both.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The value of the header `webhook-signature`, for an attempt at `timestamp` (seconds).
pub(super) fn signature(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret)).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// `whsec_` + base64 stands for the bytes that it encodes, any other text for its own bytes.
fn key(secret: &str) -> Vec<u8> {
    secret
        .strip_prefix("whsec_")
        .and_then(|encoded| LENIENT.decode(encoded).ok())
        .unwrap_or_else(|| secret.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_standard_gives_its_signature() {
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_of_any_other_form_signs_with_its_own_bytes() {
        // RFC 4231, test case 2, cannot be had through "id.timestamp.body"; so: the same key in both forms.
        let plain = "correct horse battery staple";
        let encoded = format!("whsec_{}", STANDARD.encode(plain));
        let unpadded = encoded.trim_end_matches('=');
        assert_ne!(encoded, unpadded);
        let signed = signature(plain, "id", 1, b"body");
        assert_eq!(signature(&encoded, "id", 1, b"body"), signed);
        assert_eq!(signature(unpadded, "id", 1, b"body"), signed);
        assert_ne!(signature(plain, "id", 2, b"body"), signed);
        assert_ne!(signature(plain, "id2", 1, b"body"), signed);
    }

    #[test]
    fn what_only_looks_like_base64_is_taken_as_it_stands() {
        assert_eq!(key("whsec_not base64!"), b"whsec_not base64!");
        assert_eq!(key(""), b"");
    }
}
