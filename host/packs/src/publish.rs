//! Putting a published pack in place: both files or neither, and never outside the policy directory. docs/reference/approvals-identity-authoring.md,
//! section 4.2.
//!
//! The pack's new folder is written beside the old one, made durable, and exchanged with it in one step of the file
//! system, so that a reader, or whoever looks after a crash, finds the old pack or the new one, whole. All access goes
//! through one handle of the policy directory, which follows no link out of it.

use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use cavra_artifacts::{Otherwise, put_directory};
use cavra_model::{Digest, PackName, random_hex};
use rustix::fs::OFlags;
use thiserror::Error;

use crate::shelf::{COMPONENT, MAX_COMPONENT_BYTES, POLICY};
use crate::signature::SIGNATURE_FILE;

/// Held while a pack is published.
const LOCK: &str = ".publish.lock";
/// Levels of folders that are taken along from the old pack.
const MAX_DEPTH: usize = 8;

/// Why a pack was not put in place. Nothing was changed.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The pack's folder, or something in it, is a link or a device.
    #[error("`{0}` in the policy directory is neither a file nor a folder; it is not replaced")]
    Strange(String),
    /// What is installed now is not what the publication was to replace.
    #[error("{0}")]
    Stale(String),
    /// What the file system said; the client learns only that it did.
    #[error("the policy directory cannot be written")]
    Io(#[from] io::Error),
}

/// Where a published pack is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// `policy.yaml`.
    pub policy: PathBuf,
    /// Its signature.
    pub signature: PathBuf,
}

/// Makes `yaml` the pack `name` below `root`, which is created if it is missing. Other files of an existing pack, such as
/// its component, stay. `still` is asked first, while nobody else can publish: it says why this may not be put in place
/// any more, if so. `sign` is then handed the digest of the component that stays, if there is one, and answers the
/// signature of policy and component, or why they may not be put in place together.
///
/// # Errors
/// [`PublishError`]; nothing was changed.
pub fn publish(
    root: &Path,
    name: &PackName,
    yaml: &[u8],
    sign: impl FnOnce(Option<&Digest>) -> Result<Vec<u8>, String>,
    still: impl FnOnce() -> Result<(), String>,
) -> Result<Published, PublishError> {
    // A policy directory that is there takes the place of any other, so what is in force is asked for before it is made.
    let mut still = Some(still);
    let is_new = !root.exists();
    if is_new {
        ask(&mut still)?;
    }
    std::fs::create_dir_all(root)?;
    let directory = Dir::open_ambient_dir(root, ambient_authority())?;
    let lock = directory.open_with(LOCK, OpenOptions::new().create(true).write(true))?.into_std();
    lock.lock()?;
    ask(&mut still)?;
    let name = name.as_str();
    let exists = is_folder(&directory, name)?;
    if is_new && exists {
        return Err(PublishError::Stale("somebody else has just published this pack; plan it again".to_owned()));
    }
    sweep(&directory, name)?;
    let component = if exists { component(&directory.open_dir(name)?)? } else { None };
    let signature = sign(component.as_ref()).map_err(PublishError::Stale)?;
    let draft = format!("{}{}", draft_prefix(name), random_hex(6).map_err(io::Error::other)?);
    directory.create_dir(&draft)?;
    let outcome = fill(&directory, exists.then_some(name), &draft, &[(POLICY, yaml), (SIGNATURE_FILE, &signature)])
        .and_then(|()| put_in_place(&directory, &draft, name, exists));
    // The draft is the old pack now, or what could not be finished; whether it goes does not matter to anybody.
    let _ = directory.remove_dir_all(&draft);
    outcome?;
    let folder = root.join(name);
    Ok(Published { policy: folder.join(POLICY), signature: folder.join(SIGNATURE_FILE) })
}

/// Asks once.
fn ask(still: &mut Option<impl FnOnce() -> Result<(), String>>) -> Result<(), PublishError> {
    still.take().map_or(Ok(()), |still| still().map_err(PublishError::Stale))
}

/// A name no pack can have.
fn draft_prefix(name: &str) -> String {
    format!(".{name}.draft-")
}

/// Whether there is a folder of that name; a link is refused, wherever it leads.
fn is_folder(directory: &Dir, name: &str) -> Result<bool, PublishError> {
    match directory.symlink_metadata(name) {
        Ok(metadata) if metadata.is_dir() => Ok(true),
        Ok(_) => Err(PublishError::Strange(name.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Digest of the component in a pack's folder. Opening a pipe does not wait.
fn component(folder: &Dir) -> Result<Option<Digest>, PublishError> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = match folder.open_with(COMPONENT, OpenOptions::new().read(true).custom_flags(flags)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let limit = u64::try_from(MAX_COMPONENT_BYTES).unwrap_or(u64::MAX);
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > limit {
        return Err(PublishError::Strange(COMPONENT.to_owned()));
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, limit), &mut bytes)?;
    Ok(Some(Digest::of(bytes)))
}

/// Removes drafts that a crash left.
fn sweep(directory: &Dir, name: &str) -> Result<(), PublishError> {
    for entry in directory.entries()? {
        let entry = entry?.file_name();
        if entry.to_str().is_some_and(|entry| entry.starts_with(&draft_prefix(name))) {
            directory.remove_dir_all(&entry)?;
        }
    }
    Ok(())
}

/// Writes the new files into the draft and takes along what else the old pack has.
fn fill(directory: &Dir, old: Option<&str>, draft: &str, files: &[(&str, &[u8])]) -> Result<(), PublishError> {
    let draft = directory.open_dir(draft)?;
    if let Some(old) = old {
        let replaced: Vec<_> = files.iter().map(|(name, _)| *name).collect();
        take_along(&directory.open_dir(old)?, &draft, &replaced, MAX_DEPTH)?;
    }
    for (name, bytes) in files {
        let mut file = draft.create(name)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
    }
    sync(&draft)
}

/// Links every file of `old` into `new`, folders below included; `except` names files at the top that stay behind.
fn take_along(old: &Dir, new: &Dir, except: &[&str], depth: usize) -> Result<(), PublishError> {
    for entry in old.entries()? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        if except.iter().any(|except| name == *except) {
            continue;
        }
        if kind.is_file() {
            old.hard_link(&name, new, &name)?;
        } else if kind.is_dir() && depth > 0 {
            new.create_dir(&name)?;
            let below = new.open_dir(&name)?;
            take_along(&old.open_dir(&name)?, &below, &[], depth - 1)?;
            sync(&below)?;
        } else {
            return Err(PublishError::Strange(name.to_string_lossy().into_owned()));
        }
    }
    Ok(())
}

fn put_in_place(directory: &Dir, draft: &str, name: &str, exists: bool) -> Result<(), PublishError> {
    // Where the file system cannot do that at once, nothing is published: a pack that is away for a moment does not decide.
    Ok(put_directory(directory, draft.as_ref(), name.as_ref(), exists, Otherwise::Refuse)?)
}

/// Makes the names in a folder durable.
fn sync(directory: &Dir) -> Result<(), PublishError> {
    Ok(directory.open(".")?.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn name() -> PackName {
        PackName::new("cavra-x").unwrap()
    }

    /// This signature, whatever is signed.
    fn signed(bytes: &[u8]) -> impl FnOnce(Option<&Digest>) -> Result<Vec<u8>, String> {
        move |_| Ok(bytes.to_vec())
    }

    /// Names and contents below a folder, sorted.
    fn all(folder: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                found.extend(all(&entry.path()));
            } else if entry.file_name() != LOCK {
                let path = entry.path();
                found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
        found.sort();
        found
    }

    #[test]
    fn a_pack_is_created_and_replaced_with_all_it_has() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("deep/policies");
        let published = publish(&root, &name(), b"one", signed(b"sig one"), || Ok(())).unwrap();
        assert_eq!(fs::read(&published.policy).unwrap(), b"one");
        fs::write(root.join("cavra-x/policy.wasm"), "component").unwrap();
        fs::create_dir(root.join("cavra-x/tests")).unwrap();
        fs::write(root.join("cavra-x/tests/a.json"), "{}").unwrap();
        fs::create_dir(root.join(".cavra-x.draft-00")).unwrap();
        publish(&root, &name(), b"two", signed(b"sig two"), || Ok(())).unwrap();
        let contents: Vec<_> = all(&root).into_iter().map(|(_, content)| content).collect();
        assert_eq!(contents, ["component", "two", "sig two", "{}"]);
        assert_eq!(fs::read_dir(&root).unwrap().count(), 2, "only the pack and the lock are left");
    }

    #[test]
    fn nothing_is_replaced_that_was_not_to_be() {
        let root = tempfile::tempdir().unwrap();
        publish(root.path(), &name(), b"one", signed(b"sig"), || Ok(())).unwrap();
        let refused = publish(root.path(), &name(), b"two", signed(b"sig"), || Err("it is another one".to_owned()));
        assert!(matches!(refused, Err(PublishError::Stale(why)) if why == "it is another one"));
        assert_eq!(fs::read_to_string(root.path().join("cavra-x/policy.yaml")).unwrap(), "one");
    }

    /// The component that stays is the one that is signed, and one that may not stay changes nothing.
    #[test]
    fn the_component_that_stays_is_shown_to_the_signer() {
        let root = tempfile::tempdir().unwrap();
        let shown = |component: Option<&Digest>| Ok(component.map_or("none", Digest::as_str).as_bytes().to_vec());
        let published = publish(root.path(), &name(), b"one", shown, || Ok(())).unwrap();
        assert_eq!(fs::read(&published.signature).unwrap(), b"none");
        let component = root.path().join("cavra-x/policy.wasm");
        fs::write(&component, "component").unwrap();
        publish(root.path(), &name(), b"two", shown, || Ok(())).unwrap();
        assert_eq!(fs::read_to_string(&published.signature).unwrap(), Digest::of(b"component").as_str());
        let refused = publish(root.path(), &name(), b"three", |_| Err("another one".to_owned()), || Ok(()));
        assert!(matches!(refused, Err(PublishError::Stale(why)) if why == "another one"));
        assert_eq!(fs::read(&published.policy).unwrap(), b"two");
        fs::remove_file(&component).unwrap();
        fs::create_dir(&component).unwrap();
        assert!(publish(root.path(), &name(), b"three", shown, || Ok(())).is_err());
        fs::remove_dir(&component).unwrap();
        fs::File::create(&component).unwrap().set_len(MAX_COMPONENT_BYTES as u64 + 1).unwrap();
        assert!(matches!(publish(root.path(), &name(), b"three", shown, || Ok(())), Err(PublishError::Strange(_))));
        assert_eq!(fs::read(&published.policy).unwrap(), b"two");
    }

    #[test]
    fn links_are_refused_and_nothing_changes() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("policy.yaml"), "outside").unwrap();
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("cavra-x")).unwrap();
        assert!(matches!(
            publish(root.path(), &name(), b"new", signed(b"sig"), || Ok(())),
            Err(PublishError::Strange(_))
        ));
        assert_eq!(fs::read_to_string(outside.path().join("policy.yaml")).unwrap(), "outside");

        let other = PackName::new("cavra-y").unwrap();
        publish(root.path(), &other, b"old", signed(b"old sig"), || Ok(())).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.path().join("cavra-y/link")).unwrap();
        assert!(matches!(
            publish(root.path(), &other, b"new", signed(b"sig"), || Ok(())),
            Err(PublishError::Strange(_))
        ));
        assert_eq!(fs::read_to_string(root.path().join("cavra-y/policy.yaml")).unwrap(), "old");
    }

    #[test]
    fn readers_find_the_old_pack_or_the_new_one() {
        let root = tempfile::tempdir().unwrap();
        publish(root.path(), &name(), b"0", signed(b"0"), || Ok(())).unwrap();
        let folder = root.path().join("cavra-x");
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    // One handle sees one folder, whatever the name means meanwhile.
                    let dir = Dir::open_ambient_dir(&folder, ambient_authority()).unwrap();
                    let pair = (dir.read(POLICY), dir.read(SIGNATURE_FILE));
                    if let (Ok(policy), Ok(signature)) = pair {
                        assert_eq!(policy, signature);
                    }
                    assert!(folder.join(POLICY).exists());
                }
            });
            for round in 1..200 {
                let text = round.to_string();
                publish(root.path(), &name(), text.as_bytes(), signed(text.as_bytes()), || Ok(())).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
