//! What somebody decides, as a button carries it and a command says it: `approve apr_0123456789ab <digest>`.

use cavra_model::Ruling;

/// Longest reason, in characters.
const REASON: usize = 1000;

/// What is to become of which approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The approval.
    pub approval_id: String,
    /// Approve or deny.
    pub ruling: Ruling,
    /// Digest, or the beginning of one, of what was shown.
    pub shown: String,
    /// Why, in words of theirs.
    pub reason: Option<String>,
}

impl Choice {
    /// Reads a choice: a verb, an approval, a digest, and perhaps a reason.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let ruling = match words.next()?.to_ascii_lowercase().as_str() {
            "approve" => Ruling::Approve,
            "deny" => Ruling::Deny,
            _ => return None,
        };
        let (approval_id, shown) = (words.next()?, words.next()?);
        let plain = |text: &str, of: fn(char) -> bool| text.len() <= 80 && text.chars().all(of);
        if !plain(approval_id, |c| c.is_ascii_alphanumeric() || c == '_')
            || !plain(shown, |c| matches!(c, '0'..='9' | 'a'..='f'))
        {
            return None;
        }
        let reason: String = words.collect::<Vec<_>>().join(" ").chars().take(REASON).collect();
        Some(Self {
            approval_id: approval_id.to_owned(),
            ruling,
            shown: shown.to_owned(),
            reason: Some(reason).filter(|reason| !reason.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_says_what_of_which_approval_as_it_was_shown() {
        let choice = Choice::parse(" Approve  apr_01ab  00ff  looks  fine ").unwrap();
        assert_eq!(
            (choice.approval_id.as_str(), choice.ruling, choice.shown.as_str()),
            ("apr_01ab", Ruling::Approve, "00ff")
        );
        assert_eq!(choice.reason.as_deref(), Some("looks fine"));
        assert_eq!(
            Choice::parse("deny apr_1 0a").map(|choice| (choice.ruling, choice.reason)),
            Some((Ruling::Deny, None))
        );
        for wrong in [
            "",
            "approve",
            "approve apr_1",
            "expire apr_1 0a",
            "approve apr/1 0a",
            "approve apr_1 0A",
            "approve apr_1 xyz",
        ] {
            assert_eq!(Choice::parse(wrong), None, "{wrong}");
        }
    }
}
