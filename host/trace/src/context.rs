//! What travels with a request: which trace it belongs to. W3C Trace Context, level 1 (<https://www.w3.org/TR/trace-context/>).

use cavra_model::fill_random;

/// A span, as seen from those below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; not all zeros.
    pub trace: [u8; 16],
    /// The span; not all zeros.
    pub span: [u8; 8],
    /// Whether the trace is recorded.
    pub is_sampled: bool,
}

impl TraceContext {
    /// Reads the header `traceparent`. One that is malformed is none.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.splitn(5, '-');
        let version = bytes::<1>(parts.next()?)?;
        let (trace, span, flags) = (bytes(parts.next()?)?, bytes(parts.next()?)?, bytes::<1>(parts.next()?)?);
        // Later versions may append something; this one does not, and 255 is none.
        let is_known = match version {
            [0] => parts.next().is_none(),
            [version] => version != 0xff,
        };
        let is_set = trace != [0; 16] && span != [0; 8];
        let [flags] = flags;
        (is_known && is_set).then_some(Self { trace, span, is_sampled: flags & 1 == 1 })
    }

    /// The header that says it.
    #[must_use]
    pub fn header(&self) -> String {
        format!("00-{}-{}-0{}", hex(&self.trace), hex(&self.span), u8::from(self.is_sampled))
    }

    /// The trace, as logs and other systems name it.
    #[must_use]
    pub fn trace_id(&self) -> String {
        hex(&self.trace)
    }

    /// A span of this trace, or of a new one; nothing without randomness.
    pub(crate) fn below(parent: Option<&Self>, is_sampled: bool) -> Option<Self> {
        let mut span = [0; 8];
        let mut trace = [0; 16];
        fill_random(&mut span).ok()?;
        match parent {
            Some(parent) => trace = parent.trace,
            None => fill_random(&mut trace).ok()?,
        }
        (span != [0; 8] && trace != [0; 16]).then_some(Self { trace, span, is_sampled })
    }
}

/// Lower-case hex, as OTLP in JSON writes ids, too.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// So many bytes in lower-case hex.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut found = [0; N];
    for (byte, pair) in found.iter_mut().zip(digits.chunks_exact(2)) {
        let mut value = 0;
        for digit in pair {
            value = (value << 4)
                | match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
        }
        *byte = value;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_header_is_read_and_written() {
        let context = TraceContext::parse(HEADER).unwrap();
        assert!(context.is_sampled && context.header() == HEADER);
        assert!(!TraceContext::parse(&HEADER.replace("-01", "-00")).unwrap().is_sampled);
        // What a later version appends is passed over.
        assert_eq!(TraceContext::parse(&HEADER.replacen("00", "cc", 1).replace("-01", "-01-what")), Some(context));
        let below = TraceContext::below(Some(&context), true).unwrap();
        assert!(below.trace == context.trace && below.span != context.span);
    }

    #[test]
    fn what_is_malformed_is_none() {
        let other = |part: &str, instead: &str| HEADER.replace(part, instead);
        for header in [
            String::new(),
            "00".to_owned(),
            HEADER.to_uppercase(),
            format!("{HEADER}-more"),
            format!(" {HEADER}"),
            other("00-4b", "ff-4b"),
            other("00-4b", "0-4b"),
            other("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            other("00f067aa0ba902b7", &"0".repeat(16)),
            other("00f067aa0ba902b7", "00f067aa0ba902b"),
            other("4736-", "47g6-"),
            other("-01", "-1"),
            other("-01", ""),
        ] {
            assert_eq!(TraceContext::parse(&header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_header_is_too_strange(header in "\\PC{0,80}") {
            let _ = TraceContext::parse(&header);
        }
    }
}
