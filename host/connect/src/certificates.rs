//! When certificates end, so that somebody is told before they do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_model::Timestamp;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Tags of DER (ITU-T X.690).
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The ends of the certificates in a text of PEM (RFC 7468). What is no certificate has none.
pub(crate) fn ends(pem: &str) -> Vec<Timestamp> {
    let bodies = pem.split(BEGIN).skip(1).filter_map(|rest| rest.split_once(END).map(|(body, _)| body));
    let decoded = |body: &str| STANDARD.decode(body.split_whitespace().collect::<String>()).ok();
    bodies.filter_map(|body| end_of(&decoded(body)?)).collect()
}

/// `notAfter` of a certificate (RFC 5280, section 4.1.2.5).
fn end_of(der: &[u8]) -> Option<Timestamp> {
    let certificate = Der(der).next_of(SEQUENCE)?;
    let mut signed = Der(Der(certificate).next_of(SEQUENCE)?);
    // Version, which may be left out, and serial number; then algorithm and issuer.
    if signed.next()?.0 == VERSION {
        signed.next()?;
    }
    signed.next_of(SEQUENCE)?;
    signed.next_of(SEQUENCE)?;
    let mut validity = Der(signed.next_of(SEQUENCE)?);
    validity.next()?;
    let (tag, time) = validity.next()?;
    moment(tag, std::str::from_utf8(time).ok()?)
}

/// `YYMMDDHHMMSSZ` up to 2049, or `YYYYMMDDHHMMSSZ`.
fn moment(tag: u8, text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let full = match tag {
        UTC_TIME if digits.len() == 12 => {
            format!("{}{digits}", if *digits.as_bytes().first()? < b'5' { "20" } else { "19" })
        }
        GENERALIZED_TIME if digits.len() == 14 => digits.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| full.get(from..to);
    let (date, time) = (
        format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?),
        format!("{}:{}:{}", part(8, 10)?, part(10, 12)?, part(12, 14)?),
    );
    format!("{date}T{time}Z").parse().ok()
}

/// Elements of DER, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The tag and the content of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    fn next_of(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AUTHORITY: &str = include_str!("../../fetch/tests/fixtures/authority.pem");

    /// As `openssl x509 -enddate` says.
    #[test]
    fn the_end_of_a_certificate() {
        let shown = |pem: &str| ends(pem).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(AUTHORITY), ["2126-11-06T09:55:44.000000+00:00"]);
        assert_eq!(shown(&format!("# two\n{AUTHORITY}\n{AUTHORITY}")).len(), 2);
        assert!(
            shown("").is_empty() && shown("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").is_empty()
        );
    }

    #[test]
    fn both_forms_of_time() {
        let shown = |tag, text| moment(tag, text).map(|moment| moment.to_string());
        let is = |found: Option<String>, begin: &str| found.is_some_and(|found| found.starts_with(begin));
        assert!(is(shown(UTC_TIME, "491231235959Z"), "2049-12-31T23:59:59"));
        assert!(is(shown(UTC_TIME, "500101000000Z"), "1950-01-01T00:00:00"));
        assert!(is(shown(GENERALIZED_TIME, "20500101000000Z"), "2050-01-01T00:00:00"));
        for (tag, text) in [(UTC_TIME, "4912312359Z"), (GENERALIZED_TIME, "20501301000000Z"), (0x04, "491231235959Z")] {
            assert_eq!(shown(tag, text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            end_of(&bytes);
        }
    }
}
