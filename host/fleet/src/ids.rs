//! Ids. They are digests of what they name, so that repeating a step with the same input finds what is there already, on a
//! server and on the command line alike.

use cavra_model::{Digest, canonical_spaced};
use serde_json::Value;

/// `prefix` and the first twelve hex digits of the SHA-256 of a text.
fn of_text(prefix: &str, text: &str) -> String {
    let digest = Digest::of(text);
    format!("{prefix}{}", digest.hex().get(..12).unwrap_or_default())
}

/// `prefix` and the digest of the spaced canonical form of a document.
pub fn of_document(prefix: &str, document: &Value) -> String {
    of_text(prefix, &canonical_spaced(document))
}

/// Id of an export for endpoint management.
#[must_use]
pub fn export_id(channel: Option<&str>, version: Option<&str>, providers: &[&str], approval: Option<&str>) -> String {
    let (channel, version) = (channel.unwrap_or("unknown"), version.unwrap_or("unknown"));
    of_text("eme_", &format!("{channel}:{version}:{}:{}", sorted(providers), approval.unwrap_or("None")))
}

/// Id of the publication of an export.
#[must_use]
pub fn publication_id(export: &str, channel: Option<&str>, version: Option<&str>, providers: &[&str]) -> String {
    let (channel, version) = (channel.unwrap_or("unknown"), version.unwrap_or("None"));
    of_text("emp_", &format!("{export}:{channel}:{version}:{}", sorted(providers)))
}

/// Id of the evidence record of one delivery of a publication.
pub fn delivery_record_id(event: &str, generated_at: &str, providers: &[&str]) -> String {
    let mut slug = String::new();
    for c in event.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let digest = of_text("", &format!("{event}|{generated_at}|{}", providers.join(",")));
    format!("epd-{}-{digest}", slug.trim_matches('-'))
}

/// Id of one action of a remediation; `number` counts from one.
pub fn action_id(reconciliation: &str, number: usize, drift: &str, target: &str, endpoint: Option<&str>) -> String {
    of_text("era_", &format!("{reconciliation}:{number}:{drift}:{target}:{}", endpoint.unwrap_or("None")))
}

/// Id of a remediation request.
#[must_use]
pub fn request_id(reconciliation: &str, strategy: &str, actions: &Value) -> String {
    let material = serde_json::json!({"reconciliation_id": reconciliation, "strategy": strategy, "actions": actions});
    of_document("err_", &material)
}

/// Id of the execution of a remediation request under an approval.
#[must_use]
pub fn execution_id(request: &str, approval: &str) -> String {
    of_text("ere_", &format!("{request}:{approval}"))
}

/// Id of the hand-off of a request to providers.
#[must_use]
pub fn handoff_id(request: &str, providers: &[&str], request_sha256: &str) -> String {
    let material = serde_json::json!({
        "request_id": request, "providers": providers, "request_sha256": request_sha256,
    });
    of_document("erh_", &material)
}

fn sorted(providers: &[&str]) -> String {
    let mut sorted = providers.to_vec();
    sorted.sort_unstable();
    sorted.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn vectors() {
        assert_eq!(action_id("mer_0123456789ab", 1, "version_drift", "mac-ring-a", Some("lap-7")), "era_0d17b94a3662");
        assert_eq!(action_id("mer_0123456789ab", 2, "missing_observation", "mac-ring-b", None), "era_bf8976004967");
        assert_eq!(request_id("mer_0123456789ab", "mixed", &json!([])), "err_56a8ca99ab0e");
        assert_eq!(execution_id("err_0123456789ab", "apr_ba9876543210"), "ere_82ca680c25b0");
        assert_eq!(handoff_id("err_0123456789ab", &["jira", "slack"], &"0".repeat(64)), "erh_f8276348129c");
        let export = export_id(Some("beta"), Some("3.2.0"), &["jamf", "intune"], Some("apr_0123456789ab"));
        assert_eq!(export, "eme_dbc0a2cd2106");
        assert_eq!(publication_id("eme_0123456789ab", Some("beta"), Some("3.2.0"), &["jamf"]), "emp_51058cea635e");
    }

    #[test]
    fn a_slug_has_single_dashes() {
        let id = delivery_record_id("--Emp_ 12!", "t", &["jamf"]);
        assert!(id.starts_with("epd-emp-12-") && id.len() == "epd-emp-12-".len() + 12, "{id}");
    }
}
