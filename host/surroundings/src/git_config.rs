//! Settings of git whose value names a program. Git runs it during commands that say nothing of it.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest configuration file that is read, and how many there may be with those that include each other.
const MOST_BYTES: u64 = 1024 * 1024;
const MOST_FILES: usize = 32;

/// Settings that name a program or a place where git takes programs from: section, whether there is a subsection, and
/// key, in lower case. From git's own `Documentation/config`.
const PROGRAMS: [(&str, bool, &str); 40] = [
    ("alias", false, "*"),
    ("browser", true, "cmd"),
    ("browser", true, "path"),
    ("core", false, "alternaterefscommand"),
    ("core", false, "askpass"),
    ("core", false, "editor"),
    ("core", false, "fsmonitor"),
    ("core", false, "gitproxy"),
    ("core", false, "hookspath"),
    ("core", false, "pager"),
    ("core", false, "sshcommand"),
    ("credential", false, "helper"),
    ("credential", true, "helper"),
    ("diff", false, "external"),
    ("diff", true, "command"),
    ("diff", true, "textconv"),
    ("difftool", true, "cmd"),
    ("difftool", true, "path"),
    ("filter", true, "clean"),
    ("filter", true, "process"),
    ("filter", true, "smudge"),
    ("gpg", false, "program"),
    ("gpg", true, "program"),
    ("gpg", true, "defaultkeycommand"),
    ("init", false, "templatedir"),
    ("interactive", false, "difffilter"),
    ("man", true, "cmd"),
    ("man", true, "path"),
    ("merge", true, "driver"),
    ("mergetool", true, "cmd"),
    ("mergetool", true, "path"),
    ("pager", false, "*"),
    ("remote", true, "receivepack"),
    ("remote", true, "uploadpack"),
    ("remote", true, "vcs"),
    ("sendemail", false, "sendmailcmd"),
    ("sequence", false, "editor"),
    ("submodule", true, "update"),
    ("trailer", true, "cmd"),
    ("trailer", true, "command"),
];

/// Values that name no program.
const NO_PROGRAMS: [&str; 12] =
    ["", "true", "false", "yes", "no", "on", "off", "0", "1", "checkout", "rebase", "merge"];

/// Pagers that only show what they are given. They do not run where the output is no terminal, either.
const PAGERS: [&str; 4] = ["less", "more", "cat", "most"];

/// The names of all settings with a program in these files and those they include, in lower case. `None` if one of them
/// cannot be read to the end.
pub(crate) fn programs(files: Vec<PathBuf>, home: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut waiting = files;
    let mut read = 0;
    while let Some(file) = waiting.pop() {
        let Ok(metadata) = fs::metadata(&file) else { continue };
        read += 1;
        if read > MOST_FILES || metadata.len() > MOST_BYTES || !metadata.is_file() {
            return None;
        }
        let text = String::from_utf8_lossy(&fs::read(&file).ok()?).into_owned();
        for Setting { section, subsection, key, value } in settings(&text) {
            if matches!(section.as_str(), "include" | "includeif") && key == "path" {
                waiting.push(included(&file, &value, home));
            } else if is_program(&section, subsection.is_some(), &key, &value) {
                let name = subsection.map_or_else(
                    || format!("{section}.{key}"),
                    |subsection| format!("{section}.{}.{key}", subsection.to_lowercase()),
                );
                if !found.contains(&name) {
                    found.push(name);
                }
            }
        }
    }
    Some(found)
}

fn included(file: &Path, path: &str, home: &str) -> PathBuf {
    match path.strip_prefix("~/") {
        Some(below) => Path::new(home).join(below),
        None => file.parent().unwrap_or(Path::new("/")).join(path),
    }
}

/// Whether a setting, named as in `git config core.pager`, has the name of a program as its value.
#[must_use]
pub fn names_program(name: &str, value: &str) -> bool {
    let name = name.to_lowercase();
    let Some((section, rest)) = name.split_once('.') else { return false };
    match rest.rsplit_once('.') {
        Some((_, key)) => is_program(section, true, key, value),
        None => is_program(section, false, rest, value),
    }
}

fn is_program(section: &str, has_subsection: bool, key: &str, value: &str) -> bool {
    let is_row = PROGRAMS.iter().any(|(known, subsection, name)| {
        *known == section && *subsection == has_subsection && (*name == "*" || *name == key)
    });
    if !is_row {
        return false;
    }
    let plain = value.trim().to_lowercase();
    let harmless = match (section, key) {
        // An alias is a command of git unless it says otherwise.
        ("alias", _) => !value.trim_start().starts_with('!'),
        ("core" | "pager", "pager") | ("pager", _) => {
            PAGERS.contains(&plain.split_whitespace().next().unwrap_or_default())
        }
        ("submodule", _) => !value.trim_start().starts_with('!'),
        _ => false,
    };
    !(harmless || NO_PROGRAMS.contains(&plain.as_str()))
}

/// One setting.
struct Setting {
    section: String,
    subsection: Option<String>,
    key: String,
    value: String,
}

/// The settings of a configuration file. What is not understood is left out line by line, as a name that no table knows.
fn settings(text: &str) -> Vec<Setting> {
    let mut found = Vec::new();
    let (mut section, mut subsection) = (String::new(), None);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start_matches('\u{feff}').trim().to_owned();
        while line.ends_with('\\') {
            line.pop();
            line.push_str(lines.next().unwrap_or_default().trim());
        }
        let mut rest = line.as_str();
        if let Some(head) = rest.strip_prefix('[') {
            let (name, behind) = header(head);
            (section, subsection) = name;
            rest = behind.trim_start();
        }
        if rest.is_empty() || rest.starts_with(['#', ';']) {
            continue;
        }
        let (key, value) = rest.split_once('=').map_or((rest, "true"), |(key, value)| (key, value));
        found.push(Setting {
            section: section.clone(),
            subsection: subsection.clone(),
            key: key.trim().to_lowercase(),
            value: unquoted(value),
        });
    }
    found
}

/// `core]` and `diff "x"]` as section and subsection, and what follows the bracket.
fn header(text: &str) -> ((String, Option<String>), &str) {
    if let Some((name, quoted)) = text.split_once('"') {
        let (mut subsection, mut escaped) = (String::new(), false);
        for (at, c) in quoted.char_indices() {
            match c {
                _ if escaped => {
                    subsection.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    let behind = quoted.get(at..).and_then(|rest| rest.split_once(']')).map_or("", |(_, rest)| rest);
                    return ((name.trim().to_lowercase(), Some(subsection)), behind);
                }
                c => subsection.push(c),
            }
        }
        return ((name.trim().to_lowercase(), Some(subsection)), "");
    }
    let (name, behind) = text.split_once(']').unwrap_or((text, ""));
    // The older form: `[diff.x]`.
    let (section, subsection) = name.split_once('.').map_or((name, None), |(section, sub)| (section, Some(sub)));
    ((section.trim().to_lowercase(), subsection.map(str::to_owned)), behind)
}

/// A value without quotes and the comment behind it.
fn unquoted(value: &str) -> String {
    let (mut plain, mut quoted, mut escaped) = (String::new(), false, false);
    for c in value.trim().chars() {
        match c {
            _ if escaped => {
                plain.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '#' | ';' if !quoted => break,
            c => plain.push(c),
        }
    }
    plain.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("config");
        fs::write(&file, text).unwrap();
        let mut found = programs(vec![file], "/nowhere").unwrap();
        found.sort();
        found
    }

    #[test]
    fn programs_are_found_in_every_spelling() {
        for (text, names) in [
            ("[core]\n\tfsmonitor = ./x\n", vec!["core.fsmonitor"]),
            ("[CORE]\nFsMonitor=\"./x\"", vec!["core.fsmonitor"]),
            ("[core] fsmonitor = ./x", vec!["core.fsmonitor"]),
            ("[core]\nfsmonitor = \\\n  ./x", vec!["core.fsmonitor"]),
            ("[core]\nfsmonitor = true", vec![]),
            ("[core]\nfsmonitor", vec![]),
            ("[core]\n; fsmonitor = ./x\n# pager = ./x\n", vec![]),
            ("[diff \"Img\"]\n textconv = exif", vec!["diff.img.textconv"]),
            ("[diff.img]\n textconv = exif", vec!["diff.img.textconv"]),
            ("[diff \"a]b\"]\n command = x", vec!["diff.a]b.command"]),
            ("[filter \"lfs\"]\n clean = git-lfs clean -- %f", vec!["filter.lfs.clean"]),
            ("[alias]\n st = status\n x = !id", vec!["alias.x"]),
            ("[core]\n pager = less -R", vec![]),
            ("[core]\n pager = ./x", vec!["core.pager"]),
            ("[pager]\n log = false\n diff = delta", vec!["pager.diff"]),
            ("[credential \"https://x\"]\n helper = !f", vec!["credential.https://x.helper"]),
            ("[user]\n name = fsmonitor", vec![]),
        ] {
            assert_eq!(found(text), names, "{text}");
        }
    }

    #[test]
    fn included_files_count() {
        let folder = tempfile::TempDir::new().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("config", "[include]\n path = more\n[includeIf \"gitdir:/x\"]\n path = other\n");
        write("more", "[core]\n editor = vim\n[include]\n path = config\n");
        write("other", "[diff]\n external = ./x\n");
        // A circle of files is read until there are too many.
        assert_eq!(programs(vec![folder.path().join("config")], ""), None);
        write("more", "[core]\n editor = vim\n");
        let mut names = programs(vec![folder.path().join("config")], "").unwrap();
        names.sort();
        assert_eq!(names, ["core.editor", "diff.external"]);
    }
}
