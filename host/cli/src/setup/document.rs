//! Configuration files of other programs. Of such a file only what is added changes: blanks, order, numbers, texts, the
//! line ends, a byte order mark, mode, owner and links stay its owner's.

use std::fs::{self, Metadata};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cavra_artifacts::{Access, Draft, replace_file};
use cavra_model::read_json;
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstNode, CstRootNode};
use serde_json::{Value, json};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file with a JSON object.
pub struct Document {
    path: PathBuf,
    marked: bool,
    before: Option<String>,
    root: CstRootNode,
}

impl Document {
    /// Reads the file; an absent one is an empty object.
    ///
    /// # Errors
    /// It holds something else, or it cannot be read.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = match fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {shown}; it was left alone")),
        };
        let whole = text.as_deref().unwrap_or("{\n}\n");
        let plain = whole.strip_prefix(BYTE_ORDER_MARK).unwrap_or(whole);
        let alone = || format!("{shown} is not a JSON object; it was left alone");
        let value = read_json(plain.as_bytes()).with_context(alone)?;
        let root = parsed(plain).filter(|_| value.is_object()).with_context(alone)?;
        Ok(Self { path: path.to_owned(), marked: whole.starts_with(BYTE_ORDER_MARK), before: text, root })
    }

    /// What it means.
    pub fn value(&self) -> Value {
        read_json(self.root.to_string().as_bytes()).unwrap_or_default()
    }

    /// What stands at a place, if it is there.
    pub fn at(&self, place: &[&str]) -> Option<CstNode> {
        let root = self.root.value()?;
        place.iter().try_fold(root, |node, name| node.as_object()?.get(name)?.value())
    }

    /// Adds a value at a place; objects on the way there that are missing are added with it. A list gets one item more, a
    /// member that is there stays as it is. What is written in one line stays in one line.
    ///
    /// # Errors
    /// Something on the way is neither an object nor, at the end, a list.
    pub fn add(&mut self, place: &[&str], value: CstInputValue) -> anyhow::Result<()> {
        let there = (0..=place.len()).rev().find_map(|depth| {
            let (known, rest) = place.split_at(depth);
            Some((known, rest, self.at(known)?))
        });
        let (known, rest, container) = there.context("the document is empty")?;
        let alone = |wanted: &str| {
            let what = if known.is_empty() { "the document".to_owned() } else { known.join(".") };
            format!("{}: {what} is not {wanted}; it was left alone", self.path.display())
        };
        match rest.split_first() {
            None => {
                let list = container.as_array().with_context(|| alone("a list"))?;
                let last = list.elements().into_iter().next_back();
                if is_on_one_line(&container) {
                    put_behind(&self.root, container, last, &compact(&value), ['[', ']']);
                } else {
                    list.append(value);
                }
            }
            Some((name, deeper)) => {
                let object = container.as_object().with_context(|| alone("an object"))?;
                let wrap = |value, name: &&str| CstInputValue::Object(vec![((*name).to_owned(), value)]);
                let value = deeper.iter().rev().fold(value, wrap);
                let last = object.properties().into_iter().next_back().and_then(|property| property.value());
                if is_on_one_line(&container) {
                    let member = format!("{}: {}", json!(name), compact(&value));
                    put_behind(&self.root, container, last, &member, ['{', '}']);
                } else {
                    object.append(name, value);
                }
            }
        }
        // What was put in as a text is read as what it means.
        let text = self.root.to_string();
        self.root = parsed(&text).context("the changed document cannot be read")?;
        Ok(())
    }

    /// Writes the file if it changed; answers whether it did.
    ///
    /// # Errors
    /// What the system said.
    pub fn write(&self) -> anyhow::Result<bool> {
        let text = self.root.to_string();
        let text = if self.marked { format!("{BYTE_ORDER_MARK}{text}") } else { text };
        match &self.before {
            Some(before) if *before == text => return Ok(false),
            Some(_) => rewrite(&self.path, &text).with_context(|| format!("cannot write {}", self.path.display()))?,
            None => cavra_evidence::write_file(&self.path, text)?,
        }
        Ok(true)
    }
}

fn parsed(text: &str) -> Option<CstRootNode> {
    CstRootNode::parse(text, &ParseOptions::default()).ok()
}

fn is_on_one_line(container: &CstNode) -> bool {
    !container.to_string().contains('\n')
}

/// Puts a text behind the last value of a container. A number is written as it is given, whatever it says.
fn put_behind(root: &CstRootNode, container: CstNode, last: Option<CstNode>, text: &str, around: [char; 2]) {
    let [open, close] = around;
    let (node, text) = match last {
        Some(last) => (last.clone(), format!("{last}, {text}")),
        None => (container, format!("{open}{text}{close}")),
    };
    let value = CstInputValue::Number(text);
    if let Some(object) = node.as_object() {
        if object.parent().is_some_and(|parent| parent.is_root()) {
            root.set_value(value);
        } else {
            object.replace_with(value);
        }
    } else if let Some(list) = node.as_array() {
        list.replace_with(value);
    } else if let Some(literal) = node.as_string_lit() {
        literal.replace_with(value);
    } else if let Some(literal) = node.as_number_lit() {
        literal.replace_with(value);
    } else if let Some(literal) = node.as_boolean_lit() {
        literal.replace_with(value);
    } else if let Some(literal) = node.as_null_keyword() {
        literal.replace_with(value);
    }
}

/// A value in one line.
fn compact(value: &CstInputValue) -> String {
    match value {
        CstInputValue::Null => "null".to_owned(),
        CstInputValue::Bool(flag) => flag.to_string(),
        CstInputValue::Number(number) => number.clone(),
        CstInputValue::String(text) => json!(text).to_string(),
        CstInputValue::Array(items) => format!("[{}]", items.iter().map(compact).collect::<Vec<_>>().join(", ")),
        CstInputValue::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{}: {}", json!(name), compact(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Replaces what a file holds. Mode, owner and links stay: a file that could not be put in its place like that is written
/// where it is.
fn rewrite(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let found = fs::metadata(&path)?;
    if found.nlink() == 1 && replaced(&path, text, &found)? {
        return Ok(());
    }
    let mut file = fs::OpenOptions::new().write(true).truncate(true).open(&path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Whether the file was replaced as a whole by one of the same mode and owner.
fn replaced(path: &Path, text: &str, found: &Metadata) -> std::io::Result<bool> {
    let ours = rustix::process::geteuid().as_raw() == found.uid();
    let privileged = rustix::process::geteuid().is_root();
    if !ours && !privileged {
        return Ok(false);
    }
    let mode = fs::Permissions::from_mode(found.mode() & 0o7777);
    replace_file(path, text.as_bytes(), &Access::As(mode), Draft::Unique)?;
    // The group of a file of one's own can be one that one is not in; then the file has another one now.
    let _ = chown(path, Some(found.uid()), Some(found.gid()));
    Ok(true)
}

/// A value to be added.
pub fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(members) => {
            CstInputValue::Object(members.iter().map(|(name, value)| (name.clone(), input(value))).collect())
        }
    }
}

/// An object to be added, with its members in this order.
pub fn object(members: &[(&str, Value)]) -> CstInputValue {
    CstInputValue::Object(members.iter().map(|(name, value)| ((*name).to_owned(), input(value))).collect())
}

/// A copy of a value that is there, members in their order.
pub fn copy(node: &CstNode) -> CstInputValue {
    if let Some(object) = node.as_object() {
        let members = object
            .properties()
            .into_iter()
            .filter_map(|property| Some((property.name()?.decoded_value().ok()?, copy(&property.value()?))));
        return CstInputValue::Object(members.collect());
    }
    if let Some(list) = node.as_array() {
        return CstInputValue::Array(list.elements().iter().map(copy).collect());
    }
    match node.as_number_lit() {
        Some(number) => CstInputValue::Number(number.to_string()),
        None => input(&value(node)),
    }
}

/// What a value means.
pub fn value(node: &CstNode) -> Value {
    read_json(node.to_string().as_bytes()).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn changed(path: &Path) {
        let mut document = Document::read(path).unwrap();
        document.add(&["servers", "cavra"], object(&[("b", json!(1)), ("a", json!([]))])).unwrap();
        assert!(document.write().unwrap());
    }

    #[test]
    fn what_is_not_ours_stays_byte_for_byte() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("x.json");
        for (before, after) in [
            ("{ \"z\": 1.50,  \"a\":[1e2,\"\\u0062\"] }", "{ \"z\": 1.50,  \"a\":[1e2,\"\\u0062\"]"),
            ("{\r\n\t\"z\": 1\r\n}\r\n", "{\r\n\t\"z\": 1,\r\n\t\"servers\": {"),
            ("\u{feff}{\"z\": 1}", "\u{feff}{\"z\": 1"),
            ("{\n    \"z\": 1\n}", "{\n    \"z\": 1,\n    \"servers\": {"),
            ("{\n  \"servers\": {\"x\": {}}\n}", "{\n  \"servers\": {\"x\": {}, \"cavra\": {\"b\": 1, \"a\": []}}\n}"),
            ("{\n  \"servers\": {}\n}", "{\n  \"servers\": {\"cavra\": {\"b\": 1, \"a\": []}}\n}"),
            ("{}", "{\"servers\": {\"cavra\": {\"b\": 1, \"a\": []}}}"),
        ] {
            fs::write(&file, before).unwrap();
            changed(&file);
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.starts_with(after), "{before:?} became {text:?}");
            let plain = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
            assert_eq!(read_json(plain.as_bytes()).unwrap()["servers"]["cavra"], json!({"a": [], "b": 1}));
            assert!(!Document::read(&file).unwrap().write().unwrap(), "nothing to change, nothing written");
        }
    }

    #[test]
    fn mode_and_links_stay() {
        let home = tempfile::tempdir().unwrap();
        let (file, link, other) = (home.path().join("x"), home.path().join("link"), home.path().join("other"));
        for mode in [0o600, 0o640, 0o644] {
            fs::write(&file, "{}").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            changed(&file);
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, mode);
        }
        fs::write(&file, "{}").unwrap();
        symlink("x", &link).unwrap();
        changed(&link);
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert!(fs::read_to_string(&file).unwrap().contains("cavra"));
        fs::write(&file, "{}").unwrap();
        fs::hard_link(&file, &other).unwrap();
        changed(&file);
        assert!(fs::read_to_string(&other).unwrap().contains("cavra"), "both names are the same file still");
    }
}
