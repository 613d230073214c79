//! Addresses: which host, what is sent; and calls of the GitHub API.

use cavra_model::FileUse;

use crate::effects::compose::Output;
use crate::effects::options::Parsed;
use crate::effects::state::State;
use crate::effects::words::Arg;
use crate::effects::{Engine, paths};

/// Methods that change nothing.
const READING: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

impl Engine<'_> {
    /// An address that is reached.
    pub(in crate::effects) fn url(&mut self, arg: &Arg, writes: bool, carries: bool, why: &str) {
        let text = arg.text.as_str();
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        if scheme == "file" {
            let directory = State::in_directory(paths::root(self.surroundings));
            return self.named(FileUse::Reads, &arg.behind(scheme.len() + 3), false, why, &directory);
        }
        let end = rest.find(['/', '?', '#', '\\']);
        // Without an end, more of the name may follow.
        let is_whole = arg.literal().is_some() || end.is_some();
        let authority = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or(authority);
        if !is_whole || host.is_empty() || host.contains(['{', '[', '*', '$']) {
            self.out.network("?", None, writes, carries, why);
            return self.out.doubt(arg.shown(), "which host this is, is known only when the command runs");
        }
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (host, None),
        };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.out.network(&host, port, writes, carries, why);
    }

    /// `curl` and `wget`.
    pub(in crate::effects) fn curl(&mut self, program: &str, parsed: &Parsed<'_>, state: &State) -> Output {
        let method = parsed.values_of(&["X", "--method"]).next().map(|arg| arg.text.to_ascii_uppercase());
        let sends = parsed.has(&[
            "d",
            "--data-raw",
            "--data-urlencode",
            "F",
            "T",
            "--json",
            "--post-data",
            "--post-file",
            "--body-data",
            "--body-file",
        ]);
        let reads_only = method.as_deref().map_or(!sends, |method| READING.contains(&method) && !sends);
        let reads_only = reads_only || (parsed.has(&["G"]) && !parsed.has(&["T", "F"]));
        let carries = parsed.values.iter().any(|(_, role, value)| {
            let reads = matches!(role.kind, crate::effects::table::RoleKind::Reads);
            reads || (matches!(role.kind, crate::effects::table::RoleKind::Data) && value.text.contains('@'))
        });
        let why = format!("operand of `{program}`");
        let operands: Vec<Arg> = parsed.operands.iter().chain(parsed.values_of(&["--url"])).cloned().collect();
        for address in &operands {
            self.url(address, !reads_only, carries || sends, &why);
            let names_file = match program {
                "curl" => parsed.has(&["O", "J"]),
                _ => !parsed.has(&["O", "--spider"]),
            };
            if names_file {
                self.downloaded(address, state);
            }
        }
        for cookies in parsed.values_of(&["b"]).filter(|arg| !arg.text.contains('=')) {
            self.named(FileUse::Reads, cookies, false, "value of `-b` of `curl`", state);
        }
        for data in parsed.values_of(&["--data-urlencode"]) {
            match data.text.find(['=', '@']) {
                Some(at) if data.text.get(at..).is_some_and(|rest| rest.starts_with('@')) => {
                    self.named(FileUse::Reads, &data.behind(at + 1), false, "value of `--data-urlencode`", state);
                }
                None if data.literal().is_none() => {
                    self.out.doubt(data.shown(), "this may name a file whose content is sent");
                }
                _ => {}
            }
        }
        for form in parsed.values_of(&["F"]) {
            self.form(form, state);
        }
        None
    }

    /// The file in which a download lies under its own name.
    fn downloaded(&mut self, address: &Arg, state: &State) {
        let path = address.text.split(['?', '#']).next().unwrap_or_default();
        let path = path.split_once("://").map_or(path, |(_, rest)| rest);
        let name = path.split_once('/').map_or("", |(_, rest)| paths::base_name(rest));
        let file = if name.is_empty() { "index.html" } else { name };
        if address.literal().is_some() {
            self.named(FileUse::Writes, &Arg::fixed(file), false, "file of a download", state);
        } else {
            self.out.doubt(address.shown(), "which file is written is known only when the command runs");
        }
    }

    /// `name=@file` and `name=<file`.
    fn form(&mut self, arg: &Arg, state: &State) {
        if let Some(at) = arg.text.find("=@").or_else(|| arg.text.find("=<")) {
            let file = arg.behind(at + 2);
            let end = file.text.find(';').unwrap_or(file.text.len());
            for name in file.text.get(..end).unwrap_or_default().split(',') {
                let file = Arg { text: name.to_owned(), shape: file.shape.clone() };
                self.named(FileUse::Reads, &file, false, "file of a form", state);
            }
        } else if arg.literal().is_none() && !arg.text.contains('=') {
            self.out.doubt(arg.shown(), "this may name a file whose content is sent");
        }
    }

    /// `gh api`.
    pub(in crate::effects) fn gh_api(&mut self, parsed: &Parsed<'_>, state: &State) -> Output {
        let host = parsed.values_of(&["--hostname"]).next().map_or("github.com", |arg| arg.text.as_str()).to_owned();
        let fields: Vec<&Arg> = parsed.values_of(&["F", "f"]).collect();
        let method = parsed.values_of(&["X"]).next();
        let endpoint = parsed.operands.first();
        let is_graphql = endpoint.and_then(Arg::literal) == Some("graphql");
        let mutates = || {
            fields.iter().any(|field| {
                field.literal().is_none_or(|text| text.contains("mutation") || text.starts_with("query=@"))
            })
        };
        let reads_only = match method.map(|arg| arg.literal().map(str::to_ascii_uppercase)) {
            Some(Some(method)) => READING.contains(&method.as_str()),
            Some(None) => false,
            None if parsed.has(&["--input"]) => false,
            None if is_graphql => !mutates(),
            None => fields.is_empty(),
        };
        for field in parsed.values_of(&["F"]) {
            if let Some(at) = field.text.find("=@") {
                self.named(FileUse::Reads, &field.behind(at + 2), false, "value of `-F` of `gh api`", state);
            }
        }
        self.out.network(&host, None, !reads_only, !fields.is_empty(), "`gh api`");
        let absolute = endpoint.is_some_and(|arg| arg.text.contains("://") || arg.text.is_empty());
        if absolute {
            self.out.doubt("gh api", "which host this is, is not certain");
        }
        None
    }
    /// `gh repo clone`.
    pub(in crate::effects) fn gh_clone(&mut self, parsed: &Parsed<'_>, state: &State) -> Output {
        if let [repository] = parsed.operands.as_slice() {
            match repository.literal() {
                Some(text) => {
                    let folder = Arg::fixed(paths::base_name(text));
                    self.named(FileUse::Writes, &folder, true, "folder of `gh repo clone`", state);
                }
                None => self.out.doubt(repository.shown(), "which folder is written is not known"),
            }
        }
        None
    }
}
