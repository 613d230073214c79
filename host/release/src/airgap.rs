//! Air-gap archives: a release package with what is needed to verify it without a network. docs/reference/evidence-and-promotion.md, section 12.
//!
//! The list of members is checked as a whole before anything is extracted, and what is extracted is verified before
//! it gets to where the caller wants it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use cavra_evidence::{Check, Findings, Report};
use cavra_model::Object;
use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;
use zip::ZipArchive;

use crate::checksums::Checksums;
use crate::findings::AboutFiles as _;
use crate::members::{filled, list, texts};
use crate::package::{PackageOptions, PackageReport, read_object, verify_package};
use cavra_artifacts::{Inside, Reach, Tree};

/// The document that says how to verify the package offline.
pub const BOOTSTRAP: &str = "offline-trust-root-bootstrap.json";
const SCHEMA: &str = "cavra.offline-trust-bootstrap.v1";
/// How the one top directory begins.
const TOP: &str = "go-runtime-";

/// File type bits of a Unix mode, and those of a regular file and a directory.
const TYPE_BITS: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;

/// How much an archive may hold.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveLimits {
    /// Members.
    pub members: usize,
    /// Bytes of all members, unpacked.
    pub bytes: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { members: 10_000, bytes: 4 * 1024 * 1024 * 1024 }
    }
}

/// How strict the verification is.
#[derive(Clone, Debug)]
pub struct AirgapOptions {
    /// The bootstrap document has to be there.
    pub require_bootstrap: bool,
    /// How strictly the package is verified.
    pub package: PackageOptions,
    /// How much the archive may hold.
    pub limits: ArchiveLimits,
}

/// What the verification showed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AirgapReport {
    /// The archive.
    pub archive: String,
    /// Nothing is wrong.
    pub valid: bool,
    /// What is wrong.
    pub errors: Vec<String>,
    /// What somebody should know.
    pub warnings: Vec<String>,
    /// The one top directory.
    pub top_directory: Option<String>,
    /// Where the package is now, if it was to be extracted and is valid.
    pub extracted_to: Option<String>,
    /// What verifying the package showed.
    pub package_verification: Option<PackageReport>,
}

/// Verifies an archive and, if it is valid, extracts it into `extract_to`.
#[must_use]
pub fn verify_airgap(archive: &Path, extract_to: Option<&Path>, options: &AirgapOptions) -> AirgapReport {
    let mut report = AirgapReport { archive: archive.display().to_string(), ..AirgapReport::default() };
    let outcome = unpack(archive, extract_to, options.limits, &mut report)
        .and_then(|unpacked| inspect(&unpacked, extract_to, options, &mut report));
    report.errors.extend(outcome.err().unwrap_or_default());
    report.valid = report.errors.is_empty();
    report
}

/// An archive unpacked for a look at it.
struct Unpacked {
    top: String,
    directory: TempDir,
}

fn unpack(
    archive: &Path,
    extract_to: Option<&Path>,
    limits: ArchiveLimits,
    report: &mut AirgapReport,
) -> Result<Unpacked, Vec<String>> {
    let name = report.archive.clone();
    let one = |problem: String| vec![format!("{name}: {problem}")];
    let file = File::open(archive).map_err(|_| one("the archive is missing or cannot be read".to_owned()))?;
    let mut zip = ZipArchive::new(file).map_err(|error| one(format!("it is no ZIP archive ({error})")))?;
    let top = plan(&mut zip, limits)?;
    report.top_directory = Some(top.clone());
    // Beside its final place, so that it can get there by a rename.
    let directory = match extract_to {
        Some(path) => fs::create_dir_all(path).and_then(|()| TempDir::new_in(path)),
        None => TempDir::new(),
    };
    let directory = directory.map_err(|error| one(format!("cannot be unpacked: {error}")))?;
    extract(&mut zip, directory.path(), limits)?;
    Ok(Unpacked { top, directory })
}

/// Checks all members; answers the one top directory.
fn plan<R: Read + Seek>(zip: &mut ZipArchive<R>, limits: ArchiveLimits) -> Result<String, Vec<String>> {
    if zip.len() > limits.members {
        return Err(vec![format!("the archive holds more than {} members", limits.members)]);
    }
    let mut problems = Vec::new();
    if zip.has_duplicate_names() {
        problems.push("the archive holds two members of the same name".to_owned());
    }
    let mut tops = BTreeSet::new();
    let mut bytes = 0_u64;
    for index in 0..zip.len() {
        match look_at(zip, index) {
            Ok((path, size)) => {
                bytes = bytes.saturating_add(size);
                let top = path.as_str().split('/').next().unwrap_or_default();
                tops.insert(top.to_owned());
            }
            Err(problem) => problems.push(problem),
        }
    }
    if bytes > limits.bytes {
        problems.push(format!("the archive unpacks to more than {} bytes", limits.bytes));
    }
    let single = tops.first().filter(|top| tops.len() == 1 && top.starts_with(TOP));
    match single {
        Some(top) if problems.is_empty() => Ok(top.clone()),
        Some(_) => Err(problems),
        None => {
            problems.push(format!("the archive has to hold exactly one top directory, named {TOP}*"));
            Err(problems)
        }
    }
}

/// Path and size of a member that may be extracted.
fn look_at<R: Read + Seek>(zip: &mut ZipArchive<R>, index: usize) -> Result<(Inside, u64), String> {
    let member = zip.by_index_raw(index).map_err(|error| format!("member {index} cannot be read ({error})"))?;
    let name =
        String::from_utf8(member.name_raw().to_vec()).map_err(|_| format!("member {index} has no text as name"))?;
    let directory = name.ends_with('/');
    let path =
        Inside::new(name.strip_suffix('/').unwrap_or(&name)).filter(|path| directory || path.as_str().contains('/'));
    let path = path.ok_or_else(|| format!("unsafe member name: {name:?}"))?;
    let kind = member.unix_mode().unwrap_or_default() & TYPE_BITS;
    let wanted = if directory { DIRECTORY } else { REGULAR };
    if kind != 0 && kind != wanted {
        return Err(format!("member {path} is a link or another special file"));
    }
    if member.encrypted() {
        return Err(format!("member {path} is encrypted"));
    }
    Ok((path, member.size()))
}

/// Unpacks members that were checked. What is counted is what comes out, not what the archive says.
fn extract<R: Read + Seek>(zip: &mut ZipArchive<R>, to: &Path, limits: ArchiveLimits) -> Result<(), Vec<String>> {
    let mut left = limits.bytes;
    for index in 0..zip.len() {
        let (path, _) = look_at(zip, index).map_err(|problem| vec![problem])?;
        let mut member =
            zip.by_index(index).map_err(|error| vec![format!("{path}: it cannot be unpacked ({error})")])?;
        let target = to.join(path.as_str());
        let written = if member.is_dir() {
            fs::create_dir_all(&target).map(|()| 0)
        } else {
            let executable = member.unix_mode().is_some_and(|mode| mode & 0o100 != 0);
            write_member(&mut member, &target, executable, left)
        };
        let written = written.map_err(|error| vec![format!("{path}: it cannot be unpacked ({error})")])?;
        left = left.saturating_sub(written);
    }
    Ok(())
}

fn write_member(member: &mut impl Read, target: &Path, executable: bool, left: u64) -> io::Result<u64> {
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(target)?;
    let written = io::copy(&mut member.take(left.saturating_add(1)), &mut file)?;
    if written > left {
        return Err(io::Error::other("the archive unpacks to more than is allowed"));
    }
    file.flush()?;
    Ok(written)
}

fn inspect(
    unpacked: &Unpacked,
    extract_to: Option<&Path>,
    options: &AirgapOptions,
    report: &mut AirgapReport,
) -> Result<(), Vec<String>> {
    let directory = unpacked.directory.path().join(&unpacked.top);
    let open = || Reach::Anywhere.open(&directory).map_err(|error| vec![error.to_string()]);
    let offline = Report::of(&Offline::read(open()?, options.require_bootstrap), &CHECKS);
    let package = verify_package(open()?, &options.package);
    report.warnings.extend(package.report.warnings.iter().chain(offline.warnings()).cloned());
    let errors: Vec<_> = package.report.errors.iter().chain(offline.errors()).cloned().collect();
    // Where it was unpacked for the look is of no interest.
    report.package_verification = Some(PackageReport { package_dir: unpacked.top.clone(), ..package.report });
    if !errors.is_empty() {
        return Err(errors);
    }
    if let Some(to) = extract_to {
        let place = to.join(&unpacked.top);
        if place.exists() {
            return Err(vec![format!("{} is there already; nothing was extracted", place.display())]);
        }
        fs::rename(&directory, &place)
            .map_err(|error| vec![format!("cannot extract to {}: {error}", place.display())])?;
        report.extracted_to = Some(place.display().to_string());
    }
    Ok(())
}

/// What is needed offline, read once.
struct Offline {
    required: bool,
    unread: Option<String>,
    bootstrap: Option<Object>,
    tree: Tree,
    checksums: Checksums,
}

impl Offline {
    fn read(tree: Tree, required: bool) -> Self {
        let (bootstrap, unread) = match read_object(&tree, BOOTSTRAP) {
            Ok(found) => (found, None),
            Err(problem) => (None, Some(problem)),
        };
        let checksums = Checksums::verify(&tree);
        Self { required, unread, bootstrap, tree, checksums }
    }
}

const CHECKS: [Check<Offline>; 2] = [Check::new("bootstrap is there", is_there), Check::new("bootstrap", bootstrap)];

fn is_there(offline: &Offline, findings: &mut Findings) {
    match &offline.unread {
        Some(problem) => findings.error(problem),
        None if offline.bootstrap.is_some() => {}
        None if offline.required => findings.error(format!("missing file: {BOOTSTRAP}")),
        None => findings.warn(format!("missing file: {BOOTSTRAP}")),
    }
}

fn bootstrap(offline: &Offline, findings: &mut Findings) {
    let Some(document) = &offline.bootstrap else { return };
    let schema = filled(document, "schema_version") == Some(SCHEMA);
    findings.expect(schema, BOOTSTRAP, format!("schema_version is not {SCHEMA}"));
    findings.expect(filled(document, "mode") == Some("air_gapped"), BOOTSTRAP, "mode is not air_gapped");
    let required = list(document, "required_files");
    let named = texts(document, "required_files");
    let whole = !required.is_empty() && named.len() == required.len();
    findings.expect(whole, BOOTSTRAP, "required_files is missing, empty or no list of paths");
    for name in named {
        let present = Inside::new(name).is_some_and(|path| offline.tree.has(&path));
        findings.expect(present, BOOTSTRAP, format!("required file {name} is missing"));
    }
    for command in ["verify-go-package", "verify-airgap-bundle"] {
        let said = document.values().any(|value| says(value, command));
        findings.expect(said, BOOTSTRAP, format!("no command mentions {command}"));
    }
    let listed = Inside::new(BOOTSTRAP).is_some_and(|path| offline.checksums.digest(&path).is_some());
    findings.expect(listed, BOOTSTRAP, "the file is not listed in checksums.txt");
}

/// Whether a text in the value contains the words.
fn says(value: &Value, words: &str) -> bool {
    match value {
        Value::String(text) => text.contains(words),
        Value::Array(items) => items.iter().any(|item| says(item, words)),
        Value::Object(members) => members.values().any(|member| says(member, words)),
        _ => false,
    }
}
