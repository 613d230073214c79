//! Release packages: a directory of binaries with documents about them. docs/reference/evidence-and-promotion.md, section 12.

mod core;
mod documents;
mod provenance;
mod signatures;

use cavra_evidence::{Check, CheckStatus, Findings, PublicKey, Report};
use cavra_model::Object;
use serde::Serialize;
use serde_json::Value;

use crate::checksums::{Checksums, unreadable};
use crate::findings::AboutFiles as _;
use crate::members::{filled, sorted};
use cavra_artifacts::{Inside, ReadError, Tree};

use self::core::RELEASE_EVIDENCE as EVIDENCE;
use self::signatures::Signature;

pub use self::core::RELEASE_EVIDENCE;
pub(crate) use documents::workstation_targets;
pub use documents::{
    CAPTURE_DOCUMENTS, CHANNEL_DOCUMENTS, CHANNELS, DEPLOYMENT, INSTALLER_DOCUMENTS, INSTALLERS, UPDATER_POLICY,
    channel_targets,
};
pub use provenance::PROVENANCE;
pub use signatures::{SIGNATURE_SUFFIX, verify_detached};

/// Longest JSON document of a package.
pub const DOCUMENT_LIMIT: u64 = 16 * 1024 * 1024;
/// Longest file that is signed.
const SIGNED_LIMIT: u64 = 512 * 1024 * 1024;

/// A document that describes the package for one use of it.
#[derive(Debug)]
pub struct Document {
    /// Its file.
    pub file: &'static str,
    /// Its `schema_version`.
    pub schema: &'static str,
    check: fn(&Inspection, &Object, &mut Findings),
}

/// How strict a verification is.
#[derive(Clone, Debug)]
pub struct PackageOptions {
    /// Every artifact has to be signed; else a missing signature is a warning.
    pub require_signatures: bool,
    /// There has to be a provenance; else a missing one is a warning.
    pub require_provenance: bool,
    /// Documents that may not be missing. Those that are there are checked in any case.
    pub documents: &'static [&'static Document],
    /// Keys that may have signed. None trusts the key that a signature brings along, which proves consistency, not
    /// origin.
    pub signers: Option<Vec<PublicKey>>,
}

impl Default for PackageOptions {
    fn default() -> Self {
        Self { require_signatures: true, require_provenance: true, documents: &[], signers: None }
    }
}

/// What a verification showed.
#[derive(Clone, Debug, Serialize)]
pub struct PackageReport {
    /// The directory.
    pub package_dir: String,
    /// Nothing is wrong.
    pub valid: bool,
    /// What is wrong; every error names the file it is about.
    pub errors: Vec<String>,
    /// What somebody should know.
    pub warnings: Vec<String>,
    /// Files that match `checksums.txt`.
    pub verified_artifacts: Vec<String>,
    /// Provenance documents that hold.
    pub verified_provenance: Vec<String>,
    /// Signatures that hold.
    pub verified_signatures: Vec<String>,
}

/// A package that was looked through.
#[derive(Debug)]
pub struct Package {
    /// What was found.
    pub report: PackageReport,
    /// `release-evidence.json`.
    pub evidence: Object,
    /// The directory.
    pub tree: Tree,
    documents: Vec<(&'static str, Object)>,
}

impl Package {
    /// A document that is there.
    #[must_use]
    pub fn document(&self, document: &Document) -> Option<&Object> {
        self.documents.iter().find(|(file, _)| *file == document.file).map(|(_, content)| content)
    }

    /// `version`, `commit`, `ref` and `repository`.
    #[must_use]
    pub fn release(&self) -> Object {
        let member = |name: &str| (name.to_owned(), self.evidence.get(name).cloned().unwrap_or(Value::Null));
        ["version", "commit", "ref", "repository"].iter().map(|name| member(name)).collect()
    }

    /// The version; empty if there is none.
    #[must_use]
    pub fn version(&self) -> &str {
        filled(&self.evidence, "version").unwrap_or_default()
    }
}

/// The package, read once: what the checks look at.
struct Inspection {
    tree: Tree,
    options: PackageOptions,
    /// What could not be read.
    unread: Vec<String>,
    evidence: Object,
    checksums: Checksums,
    files: Vec<Inside>,
    signatures: Vec<Signature>,
    provenance: Option<Object>,
    documents: Vec<(&'static Document, Object)>,
}

/// The checks of every package, in the order in which their errors are listed.
const CHECKS: [Check<Inspection>; 8] = [
    Check::new("files can be read", |package, findings| package.unread.iter().for_each(|text| findings.error(text))),
    Check::new("release evidence", core::release_evidence),
    Check::new("checksums", |package, findings| package.checksums.errors.iter().for_each(|text| findings.error(text))),
    Check::new("artifacts are checksummed", core::artifacts),
    Check::new("signatures", signatures::check),
    Check::new(PROVENANCE, provenance::check),
    Check::new("documents", documents::check),
    Check::new("nothing is unaccounted for", core::unlisted),
];

/// Verifies the package in a directory.
#[must_use]
pub fn verify_package(tree: Tree, options: &PackageOptions) -> Package {
    let inspection = Inspection::read(tree, options.clone());
    let found = Report::of(&inspection, &CHECKS);
    let proven = inspection.provenance.is_some() && found.checks().contains(&(PROVENANCE, CheckStatus::Passed));
    let report = PackageReport {
        package_dir: inspection.tree.shown().to_owned(),
        valid: found.is_valid(),
        errors: found.errors().to_vec(),
        warnings: found.warnings().to_vec(),
        verified_artifacts: inspection.checksums.verified(),
        verified_provenance: if proven { vec![PROVENANCE.to_owned()] } else { Vec::new() },
        verified_signatures: sorted(inspection.signatures.iter().filter_map(Signature::verified)),
    };
    let documents = inspection.documents.into_iter().map(|(document, content)| (document.file, content)).collect();
    Package { report, evidence: inspection.evidence, tree: inspection.tree, documents }
}

impl Inspection {
    fn read(tree: Tree, options: PackageOptions) -> Self {
        let mut unread = Vec::new();
        let mut load = |file: &str, required: bool| match read_object(&tree, file) {
            Ok(None) if required => {
                unread.push(format!("missing file: {file}"));
                None
            }
            Ok(document) => document,
            Err(problem) => {
                unread.push(problem);
                None
            }
        };
        let evidence = load(EVIDENCE, true).unwrap_or_default();
        let provenance = load(PROVENANCE, options.require_provenance);
        let required = |document: &Document| options.documents.iter().any(|wanted| wanted.file == document.file);
        let documents = documents::ALL
            .iter()
            .filter_map(|document| Some((*document, load(document.file, required(document))?)))
            .collect();
        let checksums = Checksums::verify(&tree);
        let files = tree.files().unwrap_or_else(|| {
            unread.push(format!("{}: the package holds too many files or cannot be listed", tree.shown()));
            Vec::new()
        });
        let signatures = signatures::read(&tree, &files, &options);
        Self { tree, options, unread, evidence, checksums, files, signatures, provenance, documents }
    }

    fn document(&self, wanted: &Document) -> Option<&Object> {
        self.documents.iter().find(|(document, _)| document.file == wanted.file).map(|(_, content)| content)
    }

    /// Compares the file that `path` names with a digest; `about` is the document that names them.
    fn compare(&self, about: &str, path: Option<&str>, digest: Option<&str>, findings: &mut Findings) {
        let Some(path) = path else { return findings.wrong(about, "a path is missing") };
        let Some(inside) = Inside::new(path) else {
            return findings.wrong(about, format!("{path:?} is no path inside the package"));
        };
        match self.tree.sha256(&inside) {
            Ok(found) if Some(found.as_str()) == digest => {}
            Ok(_) => findings.wrong(about, format!("the digest of {path} differs")),
            Err(error) => findings.wrong(about, format!("{path}: {error}")),
        }
    }
}

/// Reads a JSON object in which every member has one value; none if there is no such file.
pub(crate) fn read_object(tree: &Tree, file: &str) -> Result<Option<Object>, String> {
    let path = Inside::new(file).ok_or_else(|| format!("{file:?} is no path inside the directory"))?;
    let bytes = match tree.read(&path, DOCUMENT_LIMIT) {
        Err(ReadError::Missing) => return Ok(None),
        other => other.map_err(|error| unreadable(&path, &error))?,
    };
    match cavra_model::read_json(&bytes) {
        Ok(Value::Object(document)) => Ok(Some(document)),
        _ => Err(format!("{file}: it is no JSON object")),
    }
}
