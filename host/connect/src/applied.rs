//! The secrets that were applied to a request, cut out of what came back: a receiver may repeat what it was sent.

use url::Url;

use crate::Secret;
use crate::target::Target;

/// Values of an address's query that are shorter stand in any answer by chance.
const SHORTEST_OF_QUERY: usize = 8;

/// What takes the place of a secret.
const REDACTED: &[u8] = b"REDACTED";

/// Fewest characters of a secret that are cut off where the answer ends in the middle of it.
const FEWEST: usize = 4;

/// The secrets, the longest first.
pub(crate) struct Applied(Vec<Secret>);

impl Applied {
    /// Everything that may have let a message to `target` in, and `more`.
    pub fn of(target: &Target, more: &[Secret]) -> Self {
        let mut texts: Vec<String> = more.iter().map(|secret| secret.expose().to_owned()).collect();
        // An operator's header may hold anything; what is sent because of it is no secret of a connector's.
        let given = target.given.iter().flat_map(|given| given.headers.values());
        for value in given.chain(target.headers.values()) {
            let value = value.expose();
            texts.push(value.to_owned());
            texts.extend(value.split_once(' ').map(|(_, bare)| bare.trim().to_owned()));
        }
        let held = target.given.iter().flat_map(|given| &given.secrets).chain(&target.secrets);
        texts.extend(held.map(|secret| secret.expose().to_owned()));
        texts.extend(target.places.iter().flat_map(|place| of_address(&place.url)));
        let escaped: Vec<String> = texts.iter().filter_map(|text| escaped(text)).collect();
        texts.extend(escaped);
        texts.retain(|text| !text.is_empty());
        texts.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        texts.dedup();
        Self(texts.into_iter().map(Secret::new).collect())
    }

    /// An answer without them, and without the beginning of one at its end.
    pub fn cut_out(&self, mut answer: Vec<u8>) -> Vec<u8> {
        for secret in &self.0 {
            answer = replaced(answer, secret.expose().as_bytes());
        }
        let cut = self.0.iter().filter_map(|secret| beginning_at_end(&answer, secret.expose().as_bytes())).max();
        answer.truncate(answer.len().saturating_sub(cut.unwrap_or(0)));
        answer
    }
}

/// What lets somebody in within an address.
fn of_address(url: &Url) -> Vec<String> {
    let password = url.password().map(ToOwned::to_owned);
    let written = url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let written = written.map(|(_, value)| value.to_owned());
    let meant = url.query_pairs().map(|(_, value)| value.into_owned());
    // Whoever knows the path of such an address is let in as well.
    let path = url.path().trim_matches('/').to_owned();
    let long = |text: &String| text.len() >= SHORTEST_OF_QUERY;
    password.into_iter().chain(written.chain(meant).chain([path]).filter(long)).collect()
}

/// The text as it stands within JSON, where that differs.
fn escaped(text: &str) -> Option<String> {
    let quoted = serde_json::to_string(text).ok()?;
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    (inner != text).then(|| inner.to_owned())
}

fn replaced(answer: Vec<u8>, secret: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(answer.len());
    let mut rest = answer.as_slice();
    while let Some(at) = rest.windows(secret.len()).position(|window| window == secret) {
        let (before, found) = rest.split_at(at);
        kept.extend_from_slice(before);
        kept.extend_from_slice(REDACTED);
        rest = found.get(secret.len()..).unwrap_or_default();
    }
    if kept.is_empty() {
        return answer;
    }
    kept.extend_from_slice(rest);
    kept
}

/// How many bytes at the end of an answer are the beginning of a secret.
fn beginning_at_end(answer: &[u8], secret: &[u8]) -> Option<usize> {
    let longest = secret.len().saturating_sub(1);
    (FEWEST..=longest).rev().find(|&length| secret.get(..length).is_some_and(|start| answer.ends_with(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_stays_in_an_answer() {
        let applied = Applied(["Bearer long-secret", "long-secret", "se\\\"cret"].map(Secret::new).into());
        for (answer, kept) in [
            ("", ""),
            ("fine", "fine"),
            ("a long-secret b long-secret", "a REDACTED b REDACTED"),
            ("{\"authorization\":\"Bearer long-secret\"}", "{\"authorization\":\"REDACTED\"}"),
            ("cut long-sec", "cut "),
            ("cut lon", "cut lon"),
            ("cut Bearer long-s", "cut "),
        ] {
            assert_eq!(String::from_utf8(applied.cut_out(answer.as_bytes().to_vec())).unwrap(), kept, "{answer}");
        }
    }

    #[test]
    fn an_address_may_be_a_secret() {
        let found = of_address(&"https://u:p@hooks.example/services/T0/B0/xyz?sig=a%2Dlong-one&v=1".parse().unwrap());
        assert_eq!(found, ["p", "a%2Dlong-one", "a-long-one", "services/T0/B0/xyz"]);
        assert_eq!(escaped("a\"b"), Some("a\\\"b".to_owned()));
        assert_eq!(escaped("ab"), None);
    }
}
