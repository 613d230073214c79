//! Makes static tables of the rows in `commands/`, so that knowing a command costs nothing when the process starts.

#[path = "src/effects/table/row.rs"]
mod row;
#[path = "src/effects/table/source.rs"]
mod source;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use sha2::{Digest, Sha256};

use row::{Does, Operand, Role, Row, Takes, Text, When};
use source::Source;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=commands");
    println!("cargo:rerun-if-changed=src/effects/table");
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

/// Writes rows as code.
#[derive(Default)]
struct Table {
    code: String,
    rows: usize,
    programs: BTreeMap<String, usize>,
}

impl Table {
    fn program(&mut self, source: &Source) -> Result<()> {
        let names: Vec<&String> = source.names().collect();
        if names.is_empty() {
            return Err("a row without `program`".into());
        }
        let row = source.row().map_err(|error| format!("{names:?}: {error}"))?;
        let row = self.row(&row)?;
        for name in names {
            if self.programs.insert(name.clone(), row).is_some() {
                return Err(format!("`{name}` has two rows").into());
            }
        }
        Ok(())
    }

    fn row(&mut self, row: &Row) -> Result<usize> {
        // Names of one subcommand share its row.
        let mut written: Vec<(*const Row, usize)> = Vec::new();
        let mut subcommands = Vec::new();
        for (name, inner) in row.subcommands.iter() {
            let known = written.iter().find(|(row, _)| std::ptr::eq(*row, &raw const **inner));
            let index = match known {
                Some((_, index)) => *index,
                None => self.row(inner)?,
            };
            written.push((&raw const **inner, index));
            subcommands.push(format!("({}, Inner::Built(&ROW_{index}))", text(name)));
        }
        let otherwise = row.otherwise.as_ref().map(|inner| self.row(inner)).transpose()?;
        let code = format!(
            "static ROW_{}: Row = Row {{ letters: {}, long: {}, operands: {}, does: {}, bare: {}, when: {}, \
             subcommands: {}, otherwise: {}, analyser: {}, after: {}, options_first: {}, single_dash: {}, inherits: {}, \
             free: {} }};",
            self.rows,
            list(row.letters.iter().map(|(letter, key, taken)| format!(
                "({letter:?}, {}, {})",
                text(key),
                takes(taken)
            ))),
            list(row.long.iter().map(|(name, key, taken)| format!(
                "({}, {}, {})",
                text(name),
                text(key),
                takes(taken)
            ))),
            operands(&row.operands),
            does(&row.does),
            does(&row.bare),
            list(row.when.iter().map(when)),
            list(subcommands.into_iter()),
            optional(otherwise.map(|index| format!("Inner::Built(&ROW_{index})"))),
            optional(row.analyser.map(|analyser| format!("Analyser::{analyser:?}"))),
            optional(row.after.as_ref().map(role)),
            row.options_first,
            row.single_dash,
            row.inherits,
            row.free,
        );
        writeln!(self.code, "{code}")?;
        self.rows += 1;
        Ok(self.rows - 1)
    }

    fn finish(self, digest: &str) -> Result<String> {
        let mut code = self.code;
        writeln!(code, "static PROGRAMS: &[(&str, &Row)] = &[")?;
        for (name, row) in &self.programs {
            writeln!(code, "({name:?}, &ROW_{row}),")?;
        }
        writeln!(code, "];")?;
        writeln!(code, "const DIGEST: &str = \"sha256:{digest}\";")?;
        Ok(code)
    }
}

fn text(text: &Text) -> String {
    format!("Cow::Borrowed({text:?})")
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("Cow::Borrowed(&[{}])", items.collect::<Vec<_>>().join(", "))
}

fn optional(code: Option<String>) -> String {
    code.map_or("None".to_owned(), |code| format!("Some({code})"))
}

fn role(role: &Role) -> String {
    format!("Role {{ kind: RoleKind::{:?}, argument: {} }}", role.kind, text(&role.argument))
}

fn takes(takes: &Takes) -> String {
    match takes {
        Takes::Nothing => "Takes::Nothing".to_owned(),
        Takes::Values(roles) => format!("Takes::Values({})", list(roles.iter().map(role))),
        Takes::Joined(roles) => format!("Takes::Joined({})", list(roles.iter().map(role))),
    }
}

fn operands(operands: &[Operand]) -> String {
    list(operands.iter().map(|operand| format!("Operand {{ role: {}, many: {} }}", role(&operand.role), operand.many)))
}

fn does(effects: &[Does]) -> String {
    list(effects.iter().map(|does| format!("Does {{ verb: Verb::{:?}, text: {} }}", does.verb, text(&does.text))))
}

fn when(when: &When) -> String {
    format!(
        "When {{ given: {}, without: {}, operands: {}, does: {}, instead: {} }}",
        list(when.given.iter().map(text)),
        list(when.without.iter().map(text)),
        optional(when.operands.as_ref().map(|list| operands(list))),
        does(&when.does),
        when.instead,
    )
}
