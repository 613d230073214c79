//! The policy document: which parts the engine reads, and a strict check of them.
//!
//! A part that is not as it should be is an error, never an empty list: a typing mistake must not switch rules off.

use serde_json::{Map, Value};

use crate::effects::{EffectRules, Entry};

/// Something wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Dotted path into the document, `<root>` for the document itself.
    pub path: String,
    /// What is wrong, for humans.
    pub message: String,
}

/// What the engine reads of a document, borrowed from it.
#[derive(Debug, Default)]
pub(crate) struct Document<'a> {
    pub block_read: Vec<&'a str>,
    pub require_approval_read: Vec<&'a str>,
    pub block_write: Vec<&'a str>,
    pub require_approval_write: Vec<&'a str>,
    pub block_commands: Vec<&'a str>,
    pub require_approval_commands: Vec<&'a str>,
    pub allow_commands: Vec<&'a str>,
    pub block_push_branches: Vec<&'a str>,
    pub effects: EffectRules,
    pub mcp: Option<Mcp<'a>>,
}

/// The `mcp` section.
#[derive(Debug, Default)]
pub(crate) struct Mcp<'a> {
    pub allowed_servers: Vec<&'a str>,
    pub blocked_servers: Vec<&'a str>,
    pub block_unknown_servers: Option<bool>,
}

/// Checks the parts of a policy document that the engine reads, merged or as written. Other sections are free.
///
/// Answers every fault, sorted by path; none means that [`Policy::compile`](crate::Policy::compile) accepts it.
#[must_use]
pub fn check_document(document: &Value) -> Vec<Diagnostic> {
    match read(document) {
        Ok(_) => Vec::new(),
        Err(diagnostics) => diagnostics,
    }
}

/// Reads the document.
///
/// # Errors
///
/// Every fault, sorted by path.
pub(crate) fn read(root: &Value) -> Result<Document<'_>, Vec<Diagnostic>> {
    let mut reader = Reader { faults: Vec::new() };
    let Some(root) = root.as_object() else {
        reader.fault("", "", "must be a mapping");
        return Err(reader.faults);
    };
    let mut document = Document::default();
    if let Some(section) = reader.section(root, "filesystem") {
        document.block_read = reader.list(section, "filesystem", "block_read");
        document.block_write = reader.list(section, "filesystem", "block_write");
        document.require_approval_write = reader.list(section, "filesystem", "require_approval_write");
        document.require_approval_read = reader.list(section, "filesystem", "require_approval_read");
        let known = ["block_read", "require_approval_read", "block_write", "require_approval_write"];
        reader.only(section, "filesystem", &known);
    }
    if let Some(section) = reader.section(root, "commands") {
        document.block_commands = reader.list(section, "commands", "block");
        document.require_approval_commands = reader.list(section, "commands", "require_approval");
        document.allow_commands = reader.list(section, "commands", "allow");
        reader.only(section, "commands", &["block", "require_approval", "allow"]);
    }
    if let Some(section) = reader.section(root, "effects") {
        document.effects = EffectRules {
            block: reader.entries(section, "block"),
            require_approval: reader.entries(section, "require_approval"),
            allow: reader.entries(section, "allow"),
        };
        // Rows count where commands are read, which is not here.
        if section.get("programs").is_some_and(|programs| !programs.is_array()) {
            reader.fault("effects", "programs", "must be a list of rows");
        }
        reader.only(section, "effects", &["block", "require_approval", "allow", "programs"]);
    }
    if let Some(section) = reader.section(root, "git") {
        document.block_push_branches = reader.list(section, "git", "block_push_branches");
        // What is trusted counts where the git configuration is looked at, which is not here.
        reader.list(section, "git", "trusted_settings");
        for key in GIT_FLAGS {
            reader.flag(section, "git", key);
        }
    }
    if let Some(section) = reader.section(root, "mcp") {
        reader.flag(section, "mcp", "allowlist_enabled");
        document.mcp = Some(Mcp {
            allowed_servers: reader.list(section, "mcp", "allowed_servers"),
            blocked_servers: reader.list(section, "mcp", "blocked_servers"),
            block_unknown_servers: reader.flag(section, "mcp", "block_unknown_servers"),
        });
    }
    if reader.faults.is_empty() {
        return Ok(document);
    }
    reader.faults.sort();
    Err(reader.faults)
}

/// Descriptive, but a value of another kind is a mistake all the same. They never lift the protected-branch rule.
const GIT_FLAGS: [&str; 4] = [
    "require_pull_request",
    "block_direct_push_to_protected_branch",
    "require_human_reviewer",
    "require_ai_attestation",
];

/// Takes typed values out of sections and keeps what was wrong with them.
struct Reader {
    faults: Vec<Diagnostic>,
}

impl Reader {
    fn section<'a>(&mut self, root: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
        let section = root.get(name)?;
        if section.as_object().is_none() {
            self.fault(name, "", "must be a mapping");
        }
        section.as_object()
    }

    fn list<'a>(&mut self, section: &'a Map<String, Value>, name: &str, key: &str) -> Vec<&'a str> {
        let Some(value) = section.get(key) else { return Vec::new() };
        let Some(items) = value.as_array() else {
            self.fault(name, key, "must be a list of strings");
            return Vec::new();
        };
        let mut list = Vec::with_capacity(items.len());
        for (position, item) in items.iter().enumerate() {
            match item.as_str() {
                Some(text) if !text.trim().is_empty() => list.push(text),
                _ => {
                    let key = [key, ".", &position.to_string()].concat();
                    self.fault(name, &key, "must be a string that is not blank");
                }
            }
        }
        list
    }

    fn entries(&mut self, section: &Map<String, Value>, key: &str) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (position, text) in self.list(section, "effects", key).into_iter().enumerate() {
            match Entry::parse(text) {
                Ok(entry) if key == "allow" && entry.is_never_allowed() => {
                    let message = "what is not known is never allowed";
                    self.fault("effects", &[key, ".", &position.to_string()].concat(), message);
                }
                Ok(entry) => entries.push(entry),
                Err(message) => self.fault("effects", &[key, ".", &position.to_string()].concat(), &message),
            }
        }
        entries
    }

    fn flag(&mut self, section: &Map<String, Value>, name: &str, key: &str) -> Option<bool> {
        let value = section.get(key)?;
        if value.as_bool().is_none() {
            self.fault(name, key, "must be true or false");
        }
        value.as_bool()
    }

    fn only(&mut self, section: &Map<String, Value>, name: &str, known: &[&str]) {
        for key in section.keys().filter(|key| !known.contains(&key.as_str())) {
            self.fault(name, key, "is not a key of this section");
        }
    }

    fn fault(&mut self, section: &str, key: &str, message: &str) {
        let path = match (section, key) {
            ("", _) => "<root>".to_owned(),
            (section, "") => section.to_owned(),
            (section, key) => [section, ".", key].concat(),
        };
        self.faults.push(Diagnostic { path, message: message.to_owned() });
    }
}
