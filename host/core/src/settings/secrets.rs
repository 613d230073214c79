//! Secrets in files instead of variables: whoever may look at a process sees its variables, and a file can be replaced while
//! the process runs.
//!
//! `NAME_FILE` names a file with the value of the secret `NAME`. Without it, a credential of that name counts that the
//! service manager has handed over (`LoadCredential=NAME:…`, systemd.exec(5)).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::SETTINGS;
use crate::CoreError;

/// The variable in which the service manager says where it keeps credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// What is appended to the name of a secret.
pub(super) const FILE: &str = "_FILE";

/// Largest file of a secret, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// The secrets that are in files.
#[derive(Debug, Default)]
pub(super) struct Kept {
    values: BTreeMap<&'static str, String>,
    pub(super) files: Vec<PathBuf>,
}

impl Kept {
    /// Reads the files that the variables name.
    ///
    /// # Errors
    /// [`CoreError::Configuration`] naming a file that cannot be read, is empty, or stands beside a variable of its own.
    pub(super) fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, CoreError> {
        let mut kept = Self::default();
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        for name in SETTINGS.iter().filter(|setting| setting.secret).map(|setting| setting.name) {
            let variable = format!("{name}{FILE}");
            let file = match (set(name).is_some(), set(&variable)) {
                (true, Some(_)) => {
                    return Err(CoreError::Configuration(format!("{name} and {variable} are both set; one has to go")));
                }
                (true, None) => continue,
                (false, Some(file)) => PathBuf::from(file),
                (false, None) => match set(CREDENTIALS).map(|folder| Path::new(&folder).join(name)) {
                    // One that cannot be looked at is there: reading it says what is wrong.
                    Some(file) if file.try_exists().unwrap_or(true) => file,
                    _ => continue,
                },
            };
            let wrong = |problem: &str| CoreError::Configuration(format!("{name}: {} {problem}", file.display()));
            let bytes = cavra_artifacts::read_file(&file, MAX_BYTES)
                .map_err(|error| wrong(&format!("cannot be read: {error}")))?;
            let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8"))?;
            let value = text.strip_suffix('\n').unwrap_or(&text);
            let value = value.strip_suffix('\r').unwrap_or(value);
            if value.is_empty() {
                return Err(wrong("is empty"));
            }
            kept.values.insert(name, value.to_owned());
            kept.files.push(file);
        }
        Ok(kept)
    }

    /// The value of a secret that is in a file.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }
}

/// Whether a variable names the file of a secret.
pub(super) fn names_a_file(variable: &str) -> bool {
    let name = variable.strip_suffix(FILE);
    name.is_some_and(|name| SETTINGS.iter().any(|setting| setting.secret && setting.name == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    const KEY: &str = "CAVRA_POLICY_SIGNING_KEY";

    fn read(variables: &[(&str, &Path)]) -> Result<Settings, CoreError> {
        Settings::read(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| value.display().to_string())
        })
    }

    #[test]
    fn a_secret_is_in_its_variable_in_a_file_or_among_the_credentials() {
        let home = tempfile::tempdir().unwrap();
        let (file, folder) = (home.path().join("key"), home.path().join("credentials"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(&file, "hush\n").unwrap();
        let (named, credentials) = ("CAVRA_POLICY_SIGNING_KEY_FILE", "CREDENTIALS_DIRECTORY");
        let same = |one: &Settings, other: &Settings| one.signing_key == other.signing_key && one.signing_key.is_some();
        let direct = read(&[(KEY, Path::new("hush"))]).unwrap();
        let in_file = read(&[(named, &file)]).unwrap();
        assert!(same(&direct, &in_file), "the end of the line is none of it");
        assert_eq!(in_file.secret_files, std::slice::from_ref(&file));
        assert!(read(&[(credentials, &folder)]).unwrap().signing_key.is_none());
        std::fs::write(folder.join(KEY), "hush").unwrap();
        assert!(same(&direct, &read(&[(credentials, &folder)]).unwrap()));
        std::fs::write(folder.join(KEY), "another").unwrap();
        assert!(same(&direct, &read(&[(credentials, &folder), (named, &file)]).unwrap()), "what is named wins");
        assert!(same(&direct, &read(&[(credentials, &folder), (KEY, Path::new("hush"))]).unwrap()));
        assert!(read(&[(credentials, &file)]).is_err(), "whether a credential is there cannot be told");
    }

    /// A key that is not read must not be a key that is not there: then nothing would be checked.
    #[test]
    fn a_file_that_cannot_be_used_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("key");
        let named = "CAVRA_POLICY_SIGNING_KEY_FILE";
        for (content, said) in [(None, "cannot be read"), (Some(""), "is empty"), (Some("\n"), "is empty")] {
            if let Some(content) = content {
                std::fs::write(&file, content).unwrap();
            }
            let error = read(&[(named, &file)]).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains(KEY), "{error}");
        }
        std::fs::write(&file, "hush").unwrap();
        let error = read(&[(named, &file), (KEY, Path::new("hush"))]).unwrap_err().to_string();
        assert!(error.contains("both set") && !error.contains("hush"), "{error}");
        assert!(names_a_file(named) && !names_a_file("CAVRA_POLICY_DIR_FILE") && !names_a_file(KEY));
    }
}
