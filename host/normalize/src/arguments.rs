//! What the arguments of a tool say that it does. A tool that nobody described still takes a file by the name of `path`
//! and a command by that of `command`: members with such names are judged as if the agent's own tools had been called.
//!
//! Names are compared without case, hyphens and underscores. What the name of the tool says of it decides between
//! reading and writing; a name that says neither stands for both.

use cavra_model::Object;
use serde_json::Value;

use crate::git::words_of;

/// More than this is no call that anybody can judge.
const MOST_ARGUMENTS: usize = 256;

/// The longest path that the system opens, in bytes.
const LONGEST_PATH: usize = 4096;

/// What is done with the value of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentUse {
    /// The file is read.
    Reads,
    /// The file is created, changed or removed.
    Writes,
    /// The command line is run.
    Runs,
    /// Something is pushed to the branch; to the one that is checked out if the value is empty.
    Pushes,
    /// The address is fetched.
    Fetches,
}

/// An argument that says what a tool does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Name of the member it is the value of.
    pub member: String,
    /// What is done with it.
    pub usage: ArgumentUse,
    /// The path, command line, branch or address.
    pub value: String,
}

/// A call names more files, commands and addresses than can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call names more files, commands and addresses than can be judged")]
pub struct TooManyArguments;

/// What a member of this name holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A file; the tool's name says what is done with it.
    Path,
    /// The same, but other things go by this name too: what cannot be a path is none.
    PerhapsPath,
    /// The file that something is taken from.
    Source,
    /// The file that something is put into.
    Destination,
    /// An address, or a file behind `file:`.
    Address,
    Command,
    Branch,
    /// The directory that relative paths beside it start from.
    Base,
}

static MEMBERS: &[(Role, &[&str])] = &[
    (
        Role::Path,
        &[
            "path",
            "paths",
            "filename",
            "filenames",
            "filepath",
            "filepaths",
            "absolutepath",
            "relativepath",
            "targetfile",
            "documentpath",
            "imagepath",
            "notebookpath",
            "localpath",
            "dir",
            "directory",
            "directories",
            "dirpath",
            "directorypath",
            "folder",
            "folderpath",
        ],
    ),
    (Role::PerhapsPath, &["file", "files", "document", "attachment", "attachments", "image"]),
    (Role::Source, &["source", "src", "sourcepath", "sourcefile", "frompath", "oldpath", "inputpath", "inputfile"]),
    (
        Role::Destination,
        &[
            "destination",
            "dest",
            "dst",
            "destinationpath",
            "destpath",
            "topath",
            "newpath",
            "targetpath",
            "output",
            "outputpath",
            "outputfile",
            "outputdir",
            "outfile",
            "savepath",
            "saveto",
            "downloadpath",
        ],
    ),
    (
        Role::Address,
        &["url", "urls", "uri", "uris", "href", "link", "links", "website", "webpage", "baseurl", "endpoint"],
    ),
    (Role::Command, &["command", "commands", "cmd", "commandline", "shellcommand", "bashcommand", "terminalcommand"]),
    (Role::Branch, &["branch", "branchname", "ref", "refname"]),
    (Role::Base, &["cwd", "workdir", "workingdir", "workingdirectory", "basedir", "basepath", "rootpath"]),
];

/// Words in the name of a tool that reads.
const READING: &[&str] = &[
    "analyze",
    "blame",
    "browse",
    "cat",
    "count",
    "describe",
    "diff",
    "exists",
    "explain",
    "fetch",
    "find",
    "get",
    "grep",
    "head",
    "info",
    "inspect",
    "list",
    "load",
    "log",
    "lookup",
    "ls",
    "open",
    "preview",
    "query",
    "read",
    "search",
    "show",
    "stat",
    "status",
    "summarize",
    "tail",
    "tree",
    "view",
];

/// Words in the name of a tool that changes something.
const CHANGING: &[&str] = &[
    "append",
    "apply",
    "commit",
    "copy",
    "create",
    "delete",
    "download",
    "edit",
    "insert",
    "make",
    "merge",
    "mkdir",
    "modify",
    "move",
    "mv",
    "overwrite",
    "patch",
    "push",
    "put",
    "remove",
    "rename",
    "replace",
    "rm",
    "save",
    "set",
    "touch",
    "trash",
    "truncate",
    "unlink",
    "update",
    "upload",
    "upsert",
    "write",
];

/// Words in the name of a tool after which the source of a file is not what it was.
const TAKING: &[&str] = &["delete", "move", "mv", "remove", "rename", "rm", "trash", "unlink"];

/// Words in the name of a tool that leaves something on a branch.
const LEAVING: &[&str] =
    &["commit", "create", "delete", "edit", "merge", "push", "put", "remove", "update", "upload", "write"];

/// What the arguments of a server's tool say that it does.
///
/// # Errors
/// [`TooManyArguments`].
pub fn told_by_arguments(server: &str, tool: &str, arguments: &Value) -> Result<Vec<Argument>, TooManyArguments> {
    let words = words_of(tool);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let (reading, changing) = (has(READING), has(CHANGING));
    let mut reader = Reader {
        reads: reading || !changing,
        writes: changing || !reading,
        takes: has(TAKING),
        leaves: has(LEAVING),
        found: Vec::new(),
    };
    reader.value(arguments, None)?;
    let of_git = has(&["git"]) || words_of(server).iter().any(|word| word == "git");
    let pushes = of_git && has(&["push"]);
    if pushes && !reader.found.iter().any(|argument| argument.usage == ArgumentUse::Pushes) {
        reader.add("branch", ArgumentUse::Pushes, String::new())?;
    }
    Ok(reader.found)
}

/// Walks through arguments; what the tool's name says of it is known.
struct Reader {
    reads: bool,
    writes: bool,
    takes: bool,
    leaves: bool,
    found: Vec<Argument>,
}

type Told = Result<(), TooManyArguments>;

impl Reader {
    fn value(&mut self, value: &Value, base: Option<&str>) -> Told {
        match value {
            Value::Object(members) => self.object(members, base),
            Value::Array(items) => items.iter().try_for_each(|item| self.value(item, base)),
            Value::String(text) if has_scheme(text, "file") => self.path("", text, base, self.reads, self.writes),
            _ => Ok(()),
        }
    }

    fn object(&mut self, members: &Object, outer: Option<&str>) -> Told {
        let own = members.iter().find(|(name, _)| role_of(name) == Some(Role::Base));
        let base = own.and_then(|(_, value)| value.as_str()).or(outer);
        for (name, value) in members {
            match (role_of(name), value) {
                (Some(Role::Command), _) if is_text(value) => self.command(name, value, members)?,
                (Some(role), Value::String(text)) => self.text(role, name, text, base)?,
                (Some(role), Value::Array(items)) => {
                    for item in items {
                        match item {
                            Value::String(text) => self.text(role, name, text, base)?,
                            other => self.value(other, base)?,
                        }
                    }
                }
                _ => self.value(value, base)?,
            }
        }
        Ok(())
    }

    fn text(&mut self, role: Role, name: &str, text: &str, base: Option<&str>) -> Told {
        let is_path = text.len() <= LONGEST_PATH && !text.contains(['\n', '\r', '\0']);
        match role {
            _ if text.is_empty() => Ok(()),
            Role::PerhapsPath if !is_path => Ok(()),
            Role::Base | Role::Command => Ok(()),
            Role::Branch if self.leaves => self.add(name, ArgumentUse::Pushes, text.to_owned()),
            Role::Branch => Ok(()),
            Role::Address if !has_scheme(text, "file") => self.address(name, text, base),
            _ if is_fetched(text) => self.add(name, ArgumentUse::Fetches, text.to_owned()),
            Role::Source => self.path(name, text, base, true, self.takes),
            Role::Destination => self.path(name, text, base, false, true),
            Role::Path | Role::PerhapsPath | Role::Address => self.path(name, text, base, self.reads, self.writes),
        }
    }

    /// An address without a scheme may be a host or, of a resource, a file.
    fn address(&mut self, name: &str, text: &str, base: Option<&str>) -> Told {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            Some(_) if is_fetched(text) => self.add(name, ArgumentUse::Fetches, text.to_owned()),
            // A name within the server.
            Some(_) => Ok(()),
            None if text.starts_with(['/', '.']) => self.path(name, text, base, self.reads, self.writes),
            None => self.add(name, ArgumentUse::Fetches, text.to_owned()),
        }
    }

    fn path(&mut self, name: &str, text: &str, base: Option<&str>, reads: bool, writes: bool) -> Told {
        let path = local(text);
        let joined = base.filter(|_| !path.starts_with(['/', '\\', '~'])).map(|base| format!("{}/{path}", local(base)));
        for path in std::iter::once(path).chain(joined) {
            if reads {
                self.add(name, ArgumentUse::Reads, path.clone())?;
            }
            if writes {
                self.add(name, ArgumentUse::Writes, path)?;
            }
        }
        Ok(())
    }

    /// A command line, or a program with its arguments beside it.
    fn command(&mut self, name: &str, value: &Value, members: &Object) -> Told {
        let words = texts(value);
        if value.is_array() && name.to_ascii_lowercase().ends_with('s') {
            return words.iter().try_for_each(|line| self.add(name, ArgumentUse::Runs, (*line).to_owned()));
        }
        let arguments = ["args", "arguments", "argv"].iter().filter_map(|beside| members.get(*beside)).map(texts);
        let beside: Vec<&str> = arguments.flatten().collect();
        let line = match value {
            Value::String(line) => {
                std::iter::once(line.clone()).chain(beside.into_iter().map(quoted)).collect::<Vec<_>>()
            }
            _ => words.into_iter().chain(beside).map(quoted).collect(),
        };
        let line = line.join(" ");
        if line.trim().is_empty() { Ok(()) } else { self.add(name, ArgumentUse::Runs, line) }
    }

    fn add(&mut self, member: &str, usage: ArgumentUse, value: String) -> Told {
        let argument = Argument { member: member.to_owned(), usage, value };
        if self.found.contains(&argument) {
            return Ok(());
        }
        if self.found.len() == MOST_ARGUMENTS {
            return Err(TooManyArguments);
        }
        self.found.push(argument);
        Ok(())
    }
}

fn role_of(member: &str) -> Option<Role> {
    let name: String = member.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    MEMBERS.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(role, _)| *role)
}

/// A text, or a list of nothing but texts.
fn is_text(value: &Value) -> bool {
    value.is_string() || value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
}

fn texts(value: &Value) -> Vec<&str> {
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    items.iter().filter_map(Value::as_str).collect()
}

fn has_scheme(text: &str, scheme: &str) -> bool {
    let found = text.split_once(':').map(|(scheme, _)| scheme);
    found.is_some_and(|found| found.eq_ignore_ascii_case(scheme))
}

fn is_fetched(text: &str) -> bool {
    text.contains("://") && ["http", "https", "ws", "wss", "ftp", "ftps"].iter().any(|scheme| has_scheme(text, scheme))
}

/// The path that a text names, which may be an address of a file.
fn local(text: &str) -> String {
    if !has_scheme(text, "file") {
        return text.to_owned();
    }
    let rest = text.split_once(':').map_or("", |(_, rest)| rest);
    let path = match rest.strip_prefix("//") {
        // The host is this machine, whatever it is called.
        Some(behind) => behind.find('/').and_then(|at| behind.get(at..)).unwrap_or(behind),
        None => rest,
    };
    percent_decoded(path.split(['?', '#']).next().unwrap_or(path))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let code = if byte == b'%' { behind.get(..2).and_then(hexadecimal) } else { None };
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?, 16).ok()
}

/// A word that a shell reads back as it is.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn told(tool: &str, arguments: &Value) -> Vec<String> {
        let verb = |usage| match usage {
            ArgumentUse::Reads => "read",
            ArgumentUse::Writes => "write",
            ArgumentUse::Runs => "run",
            ArgumentUse::Pushes => "push",
            ArgumentUse::Fetches => "fetch",
        };
        let found = told_by_arguments("server", tool, arguments).unwrap();
        found.into_iter().map(|argument| format!("{} {}", verb(argument.usage), argument.value)).collect()
    }

    #[test]
    fn members_say_what_a_tool_does() {
        for (tool, arguments, expected) in [
            ("read_file", json!({"path": ".env"}), &["read .env"][..]),
            ("read_multiple_files", json!({"paths": ["a", "b"]}), &["read a", "read b"]),
            ("readTextFile", json!({"filePath": "a"}), &["read a"]),
            ("write_file", json!({"path": "iam/x", "content": "path: y"}), &["write iam/x"]),
            ("edit-file", json!({"file_path": "a", "edits": [{"path": "b"}]}), &["write a", "write b"]),
            ("process", json!({"path": "a"}), &["read a", "write a"]),
            ("move_file", json!({"source": "a", "destination": "b"}), &["write b", "read a", "write a"]),
            ("copy_file", json!({"source": "a", "destination": "b"}), &["write b", "read a"]),
            ("push_files", json!({"branch": "main", "files": [{"path": "a"}]}), &["push main", "write a"]),
            ("get_file_contents", json!({"path": "a", "ref": "main"}), &["read a"]),
            ("git_push", json!({"repo": "r"}), &["push "]),
            ("git_push", json!({"remote": "origin", "branch": "x"}), &["push x"]),
            ("push_notification", json!({"text": "t"}), &[]),
            ("git_checkout", json!({"branch_name": "main"}), &[]),
            ("execute", json!({"command": "ls -l"}), &["run ls -l"]),
            ("execute", json!({"command": ["rm", "a b"]}), &["run rm 'a b'"]),
            ("execute", json!({"cmd": "rm", "args": ["-rf", "a'b"]}), &[r"run rm -rf 'a'\''b'"]),
            ("execute", json!({"commands": ["ls", "rm x"]}), &["run ls", "run rm x"]),
            ("navigate", json!({"url": "https://a.example/b"}), &["fetch https://a.example/b"]),
            ("navigate", json!({"url": "a.example"}), &["fetch a.example"]),
            ("navigate", json!({"url": "FILE:///etc/pass%77d?x"}), &["read /etc/passwd", "write /etc/passwd"]),
            ("resources/read", json!({"uri": "file://localhost/a"}), &["read /a"]),
            ("resources/read", json!({"uri": "notes://a"}), &[]),
            ("read", json!({"path": "https://a.example"}), &["fetch https://a.example"]),
            ("read", json!({"what": ["file:///a"]}), &["read /a"]),
            ("read", json!({"file": "one\ntwo", "text": "path"}), &[]),
            ("read", json!({"cwd": "iam", "path": "x", "inner": {"path": "/y"}}), &["read /y", "read x", "read iam/x"]),
            ("read", json!({"path": 5, "file": null, "url": {}, "paths": []}), &[]),
        ] {
            // Members have no order.
            let (mut found, mut expected) = (told(tool, &arguments), expected.to_vec());
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{tool} {arguments}");
        }
    }

    #[test]
    fn a_push_without_a_branch_is_one() {
        for (server, tool, pushes) in [("git", "push", 1), ("x", "gitPush", 1), ("web", "push", 0), ("git", "pull", 0)]
        {
            assert_eq!(told_by_arguments(server, tool, &json!({})).unwrap().len(), pushes, "{server} {tool}");
        }
    }

    #[test]
    fn every_member_has_one_role() {
        let mut names: Vec<&str> = MEMBERS.iter().flat_map(|(_, names)| *names).copied().collect();
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase())));
        let listed = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), listed);
    }

    #[test]
    fn more_than_can_be_judged_is_an_error() {
        let paths = |count: usize| json!({"paths": (0..count).map(|n| n.to_string()).collect::<Vec<_>>()});
        assert_eq!(told_by_arguments("server", "read", &paths(256)).unwrap().len(), 256);
        assert_eq!(told_by_arguments("server", "read", &paths(257)), Err(TooManyArguments));
    }

    proptest! {
        /// However deep it stands and however the member is written, a path is found.
        #[test]
        fn a_path_is_found_wherever_it_stands(depth in 0..20_usize, in_list in any::<bool>(), name in "[Ff]ile[_-]?[Pp]ath") {
            let mut arguments = if in_list { json!({ name: [".env"] }) } else { json!({ name: ".env" }) };
            for level in 0..depth {
                arguments = if level % 2 == 0 { json!({"x": arguments}) } else { json!([1, arguments]) };
            }
            prop_assert_eq!(told("read_file", &arguments), ["read .env"]);
        }
    }
}
