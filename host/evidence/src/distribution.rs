//! A directory that carries trust roots to verifiers. docs/reference/evidence-and-promotion.md, section 3.4.

use cavra_model::{Digest, Timestamp};
use serde_json::{Value, json};

use crate::documents::PRODUCT;
use crate::markdown::{code, plain};
use crate::pretty;
use crate::trust::{BUNDLE_SCHEMA, TrustError, TrustRoot, TrustStatus, sorted, trust_root_bundle};

/// The file with the trust roots.
pub const TRUST_ROOTS: &str = "evidence-trust-roots.json";

const CHANNELS: [&str; 3] = ["source-control", "secure-portal", "offline-transfer"];

const COMMANDS: [&str; 2] =
    ["sha256sum --check checksums.txt", "cavra evidence verify BUNDLE --trust-root evidence-trust-roots.json"];

const STEPS: [&str; 4] = [
    "Compare the fingerprints below with the ones that the owners of the keys publish over a channel of their own.",
    "Check the files against checksums.txt.",
    "Put evidence-trust-roots.json where only the verifiers' operators can write.",
    "Verify a known bundle with the new roots before the old ones are removed.",
];

/// What a distribution is for.
#[derive(Clone, Debug)]
pub struct Distribution<'a> {
    /// Environment whose verifiers get it.
    pub environment: &'a str,
    /// Its id; made from the time if there is none.
    pub id: Option<&'a str>,
    /// How it reaches verifiers; the usual three if there is none.
    pub channels: &'a [String],
    /// When it was made.
    pub created_at: Timestamp,
}

impl Distribution<'_> {
    /// All files by name, the checksums last.
    ///
    /// # Errors
    /// [`TrustError`] as for a bundle of the roots.
    pub fn files(&self, roots: Vec<TrustRoot>) -> Result<Vec<(&'static str, String)>, TrustError> {
        let roots = sorted(roots)?;
        let bundle = pretty(&trust_root_bundle(roots.clone(), self.created_at)?);
        let manifest = self.manifest(&roots, &bundle);
        let mut files = vec![
            (TRUST_ROOTS, bundle),
            ("trust-root-distribution-manifest.json", pretty(&manifest)),
            ("trust-root-distribution.md", markdown(&manifest, &roots)),
        ];
        let lines = files.iter().map(|(name, text)| format!("{}  {name}\n", Digest::of(text).hex()));
        let checksums: String = lines.collect();
        files.push(("checksums.txt", checksums));
        Ok(files)
    }

    fn manifest(&self, roots: &[TrustRoot], bundle: &str) -> Value {
        let ids = |status: TrustStatus| -> Vec<&str> {
            roots.iter().filter(|root| root.status == status).map(|root| root.key_id.as_str()).collect()
        };
        let id = self.id.map_or_else(|| default_id(self.created_at), str::to_owned);
        let channels: Vec<&str> =
            if self.channels.is_empty() { CHANNELS.into() } else { self.channels.iter().map(String::as_str).collect() };
        let keys: Vec<_> = roots.iter().map(TrustRoot::summary).collect();
        json!({
            "schema_version": "cavra.evidence.trust-root-distribution.v1",
            "product": PRODUCT,
            "distribution_id": id,
            "environment": self.environment,
            "created_at": self.created_at,
            "bundle": {
                "path": TRUST_ROOTS,
                "sha256": Digest::of(bundle).hex(),
                "schema_version": BUNDLE_SCHEMA,
                "trust_root_count": roots.len(),
                "active_key_ids": ids(TrustStatus::Active),
                "retired_key_ids": ids(TrustStatus::Retired),
                "revoked_key_ids": ids(TrustStatus::Revoked),
            },
            "channels": channels,
            "keys": keys,
            "verification_commands": COMMANDS,
            "operator_steps": STEPS,
        })
    }
}

/// `trust-roots-<UTC yyyymmddHHMMSS>`.
fn default_id(created_at: Timestamp) -> String {
    let digits: String = created_at.to_string().chars().filter(char::is_ascii_digit).take(14).collect();
    format!("trust-roots-{digits}")
}

fn markdown(manifest: &Value, roots: &[TrustRoot]) -> String {
    let of = |member: &str| manifest.get(member).and_then(Value::as_str).unwrap_or_default();
    let list = |member: &str| manifest.get(member).and_then(Value::as_array).into_iter().flatten();
    let mut out = format!(
        "# CAVRA Trust Root Distribution\n\nDistribution: {}\n\nEnvironment: {}\n\nCreated: {}\n\n## Keys\n\n\
         | Key ID | Owner | Status | Fingerprint (SHA-256 of the PEM) |\n| --- | --- | --- | --- |\n",
        code(of("distribution_id")),
        code(of("environment")),
        code(of("created_at")),
    );
    for root in roots {
        let (id, owner, fingerprint) = (code(&root.key_id), plain(&root.owner), root.public_key.fingerprint());
        out.push_str(&format!("| {id} | {owner} | {} | `{fingerprint}` |\n", root.status.as_str()));
    }
    for (heading, member) in [("Channels", "channels"), ("Verification", "verification_commands")] {
        out.push_str(&format!("\n## {heading}\n\n"));
        out.extend(list(member).filter_map(Value::as_str).map(|item| format!("- {}\n", code(item))));
    }
    out.push_str("\n## Operator Steps\n\n");
    out.extend((1..).zip(STEPS).map(|(number, step)| format!("{number}. {step}\n")));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_id_is_the_time() {
        assert_eq!(default_id("2031-02-03T04:05:06.000700Z".parse().unwrap()), "trust-roots-20310203040506");
    }
}
