//! Makes static tables of the rows in `commands/`, so that knowing a command costs nothing when the process starts.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use serde::Deserialize;
use sha2::{Digest, Sha256};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A row as it is written; `docs/commands.md` says what its members mean.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Source {
    program: Option<String>,
    programs: Vec<String>,
    flags: String,
    options: BTreeMap<String, String>,
    operands: Vec<String>,
    does: Vec<String>,
    bare: Vec<String>,
    when: Vec<When>,
    subcommands: BTreeMap<String, Source>,
    otherwise: Option<Box<Source>>,
    analyser: Option<String>,
    after: Option<String>,
    options_first: bool,
    single_dash: bool,
    inherits: bool,
    free: bool,
    #[serde(rename = "notes")]
    _notes: serde_norway::Value,
    #[serde(rename = "tests")]
    _tests: serde_norway::Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct When {
    given: String,
    without: String,
    operands: Option<Vec<String>>,
    does: Vec<String>,
    instead: bool,
}

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=commands");
    let mut files: Vec<_> = fs::read_dir("commands")?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut table = Table::default();
    let mut digest = Sha256::new();
    for file in &files {
        let text = fs::read_to_string(file)?;
        digest.update(text.as_bytes());
        let rows: Vec<Source> =
            serde_norway::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        for row in rows {
            table.program(&row).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let out = Path::new(&env::var("OUT_DIR")?).join("table.rs");
    fs::write(out, table.finish(&digest)?)?;
    Ok(())
}

#[derive(Default)]
struct Table {
    code: String,
    rows: usize,
    programs: BTreeMap<String, usize>,
}

impl Table {
    fn program(&mut self, source: &Source) -> Result<()> {
        let names: Vec<&String> = source.program.iter().chain(&source.programs).collect();
        if names.is_empty() {
            return Err("a row without `program`".into());
        }
        let row = self.row(source).map_err(|error| format!("{names:?}: {error}"))?;
        for name in names {
            if self.programs.insert(name.clone(), row).is_some() {
                return Err(format!("`{name}` has two rows").into());
            }
        }
        Ok(())
    }

    fn row(&mut self, source: &Source) -> Result<usize> {
        let mut subcommands = BTreeMap::new();
        for (names, inner) in &source.subcommands {
            let row = self.row(inner).map_err(|error| format!("{names}: {error}"))?;
            for name in names.split(',').map(str::trim) {
                if subcommands.insert(name.to_owned(), row).is_some() {
                    return Err(format!("the subcommand `{name}` is there twice").into());
                }
            }
        }
        let otherwise = source.otherwise.as_ref().map(|inner| self.row(inner)).transpose()?;
        let (letters, long) = options(source)?;
        let code = format!(
            "static ROW_{}: Row = Row {{ letters: &[{letters}], long: &[{long}], operands: &[{}], does: &[{}], \
             bare: &[{}], when: &[{}], subcommands: &[{}], otherwise: {}, analyser: {}, after: {}, options_first: {}, \
             single_dash: {}, inherits: {}, free: {} }};",
            self.rows,
            operands(&source.operands)?,
            does(&source.does)?,
            does(&source.bare)?,
            source.when.iter().map(when).collect::<Result<Vec<_>>>()?.join(", "),
            subcommands.iter().map(|(name, row)| format!("({name:?}, &ROW_{row})")).collect::<Vec<_>>().join(", "),
            otherwise.map_or("None".to_owned(), |row| format!("Some(&ROW_{row})")),
            source.analyser.as_ref().map_or("None".to_owned(), |name| format!("Some(Analyser::{})", camel(name))),
            source
                .after
                .as_ref()
                .map_or(Ok("None".to_owned()), |text| role(text).map(|role| format!("Some({role})")))?,
            source.options_first,
            source.single_dash,
            source.inherits,
            source.free,
        );
        writeln!(self.code, "{code}")?;
        self.rows += 1;
        Ok(self.rows - 1)
    }

    fn finish(self, digest: &str) -> Result<String> {
        let mut code = self.code;
        writeln!(code, "pub(crate) static PROGRAMS: &[(&str, &Row)] = &[")?;
        for (name, row) in &self.programs {
            writeln!(code, "({name:?}, &ROW_{row}),")?;
        }
        writeln!(code, "];")?;
        writeln!(code, "pub(crate) const DIGEST: &str = \"sha256:{digest}\";")?;
        Ok(code)
    }
}

/// The letters and the long options of a row, as code.
fn options(source: &Source) -> Result<(String, String)> {
    let mut letters: BTreeMap<char, (String, String)> = BTreeMap::new();
    let mut long: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut add = |name: &str, key: &str, takes: String| -> Result<()> {
        let entry = (key.to_owned(), takes);
        let mut characters = name.chars();
        let is_new = match (characters.next(), characters.next()) {
            (Some(letter), None) if letter != '-' => letters.insert(letter, entry).is_none(),
            _ => long.insert(name.to_owned(), entry).is_none(),
        };
        if is_new { Ok(()) } else { Err(format!("the option `{name}` is there twice").into()) }
    };
    for word in source.flags.split_whitespace() {
        if word.starts_with('-') {
            let (name, key) = word.split_once('=').unwrap_or((word, word));
            add(name, key, "Takes::Nothing".to_owned())?;
        } else {
            for letter in word.chars() {
                let name = letter.to_string();
                add(&name, &name, "Takes::Nothing".to_owned())?;
            }
        }
    }
    for (names, roles) in &source.options {
        let (takes, roles) = match roles.strip_prefix('=') {
            Some(rest) => ("Joined", rest),
            None => ("Values", roles.as_str()),
        };
        let roles = roles.split(',').map(|text| role(text.trim())).collect::<Result<Vec<_>>>()?.join(", ");
        let names: Vec<&str> = names.split_whitespace().collect();
        let key = names.first().copied().unwrap_or_default();
        for name in &names {
            add(name, key, format!("Takes::{takes}(&[{roles}])"))?;
        }
    }
    let letters = letters.iter().map(|(letter, (key, takes))| format!("({letter:?}, {key:?}, {takes})"));
    let long = long.iter().map(|(name, (key, takes))| format!("({name:?}, {key:?}, {takes})"));
    Ok((letters.collect::<Vec<_>>().join(", "), long.collect::<Vec<_>>().join(", ")))
}

fn when(when: &When) -> Result<String> {
    let keys = |text: &str| text.split_whitespace().map(|key| format!("{key:?}")).collect::<Vec<_>>().join(", ");
    let operands = when.operands.as_ref().map(|list| operands(list)).transpose()?;
    Ok(format!(
        "When {{ given: &[{}], without: &[{}], operands: {}, does: &[{}], instead: {} }}",
        keys(&when.given),
        keys(&when.without),
        operands.map_or("None".to_owned(), |list| format!("Some(&[{list}])")),
        does(&when.does)?,
        when.instead,
    ))
}

fn operands(list: &[String]) -> Result<String> {
    let one = |text: &String| -> Result<String> {
        let (text, many) = text.strip_suffix('*').map_or((text.as_str(), false), |rest| (rest, true));
        Ok(format!("Operand {{ role: {}, many: {many} }}", role(text)?))
    };
    Ok(list.iter().map(one).collect::<Result<Vec<_>>>()?.join(", "))
}

const ROLES: [&str; 28] = [
    "value",
    "lists",
    "lists-tree",
    "reads",
    "reads-tree",
    "reads-below",
    "reads-response",
    "writes",
    "writes-tree",
    "edits",
    "edits-below",
    "deletes",
    "deletes-tree",
    "moves",
    "template",
    "directory",
    "url",
    "data",
    "response",
    "project",
    "code",
    "command",
    "run",
    "destination",
    "target",
    "unknown",
    "pathspec",
    "program",
];

/// A role, with its argument behind a blank.
fn role(text: &str) -> Result<String> {
    let (name, argument) = text.split_once(' ').unwrap_or((text, ""));
    if !ROLES.contains(&name) {
        return Err(format!("`{name}` is no role; there are {}", ROLES.join(", ")).into());
    }
    Ok(format!("Role {{ kind: RoleKind::{}, argument: {argument:?} }}", camel(name)))
}

const VERBS: [&str; 13] = [
    "run",
    "network",
    "observe",
    "change",
    "lose",
    "lists",
    "lists-tree",
    "reads-tree",
    "writes",
    "writes-tree",
    "deletes-tree",
    "environment",
    "unknown",
];

fn does(list: &[String]) -> Result<String> {
    let one = |text: &String| -> Result<String> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        if !VERBS.contains(&verb) {
            return Err(format!("`{verb}` is no effect; there are {}", VERBS.join(", ")).into());
        }
        Ok(format!("Does {{ verb: Verb::{}, text: {rest:?} }}", camel(verb)))
    };
    Ok(list.iter().map(one).collect::<Result<Vec<_>>>()?.join(", "))
}

fn camel(name: &str) -> String {
    let capital = |part: &str| {
        let mut characters = part.chars();
        characters.next().map(|first| first.to_ascii_uppercase().to_string() + characters.as_str()).unwrap_or_default()
    };
    name.split(['-', '_']).map(capital).collect()
}
