//! What is known about programs: the rows of `commands/`, and those that a policy adds for its team's own tools.

mod cases;
mod row;
mod source;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cavra_model::{Digest, canonical};
use serde_json::Value;

pub use cases::check_cases;
pub(crate) use row::{Analyser, Does, Operand, Role, RoleKind, Row, Takes, Verb};
use row::{Inner, When};
use source::Source;

include!(concat!(env!("OUT_DIR"), "/table.rs"));

/// Most names that the rows of a policy may have together.
const MOST_NAMES: usize = 256;

/// Bytes of all rows of a policy together, as canonical JSON.
const MOST_BYTES: usize = 256 * 1024;

/// Most characters of a name.
const LONGEST_NAME: usize = 64;

/// The table of programs that commands are read with: the built-in rows, and those of a policy.
///
/// The rows of a policy only ever describe programs that the table does not know, so nothing that is built in gets
/// another meaning. A copy is the same table.
#[derive(Clone, Default)]
pub struct Programs(Option<Arc<Added>>);

/// The rows of a policy.
struct Added {
    rows: BTreeMap<String, Arc<Row>>,
    digest: String,
}

/// What is wrong with the rows of a policy: the position of the row, if it is about one, and a sentence.
pub type RowFault = (Option<usize>, String);

impl Programs {
    /// The built-in rows alone.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static BUILT_IN: Programs = Programs(None);
        &BUILT_IN
    }

    /// The built-in rows and those of a policy, a list of mappings as `docs/commands.md` describes them.
    ///
    /// # Errors
    /// Everything that is wrong with them, apart from what their own tests say ([`check_cases`]).
    pub fn with(rows: &Value) -> Result<Self, Vec<RowFault>> {
        let Some(rows) = rows.as_array() else { return Err(vec![(None, "must be a list of rows".to_owned())]) };
        if rows.is_empty() {
            return Ok(Self(None));
        }
        let written = canonical(&Value::Array(rows.clone()));
        if written.len() > MOST_BYTES {
            return Err(vec![(None, format!("the rows are larger than {MOST_BYTES} bytes together"))]);
        }
        let mut added = BTreeMap::new();
        let mut faults = Vec::new();
        for (position, row) in rows.iter().enumerate() {
            if let Err(problem) = add(row, &mut added) {
                faults.push((Some(position), problem));
            }
        }
        if added.len() > MOST_NAMES {
            faults.push((None, format!("the rows have more than {MOST_NAMES} names together")));
        }
        if faults.is_empty() {
            let digest = Digest::of(format!("{DIGEST}\n{written}")).to_string();
            Ok(Self(Some(Arc::new(Added { rows: added, digest }))))
        } else {
            Err(faults)
        }
    }

    /// The digest of the table: of what is built in, and of the rows of the policy if there are any.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.0.as_ref().map_or(DIGEST, |added| &added.digest)
    }

    /// True if a policy describes this program, and cavra does not.
    #[must_use]
    pub fn is_added(&self, program: &str) -> bool {
        self.0.as_ref().is_some_and(|added| added.rows.contains_key(program))
    }

    /// The row of a program.
    pub(crate) fn row(&self, program: &str) -> Option<&Row> {
        built_in(program).or_else(|| self.0.as_ref()?.rows.get(program).map(AsRef::as_ref))
    }
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.as_ref().map(|added| added.rows.keys().collect::<Vec<_>>());
        f.debug_struct("Programs").field("digest", &self.digest()).field("added", &names).finish()
    }
}

/// Adds a row of a policy under all its names.
fn add(written: &Value, rows: &mut BTreeMap<String, Arc<Row>>) -> Result<(), String> {
    let source: Source = serde_json::from_value(written.clone()).map_err(|error| error.to_string())?;
    let row = Arc::new(source.row()?);
    only_of_policies(&row)?;
    let mut names = source.names().peekable();
    if names.peek().is_none() {
        return Err("has no `program`".to_owned());
    }
    for name in names {
        check_name(name)?;
        if rows.insert(name.clone(), Arc::clone(&row)).is_some() {
            return Err(format!("`{name}` has two rows"));
        }
    }
    Ok(())
}

/// A policy's row must not name what only cavra's own code gives a meaning, and no role where it would have no effect:
/// its author takes the argument for judged.
fn only_of_policies(row: &Row) -> Result<(), String> {
    if row.analyser.is_some() {
        return Err("`analyser` names code of cavra; rows of a policy cannot have one".to_owned());
    }
    let values = row.letters.iter().map(|(.., takes)| takes).chain(row.long.iter().map(|(.., takes)| takes));
    let of_options = values.flat_map(|takes| match takes {
        Takes::Nothing => &[],
        Takes::Values(roles) | Takes::Joined(roles) => roles.as_ref(),
    });
    let mut of_options = of_options.chain(&row.after);
    let of_when = row.when.iter().filter_map(|when| when.operands.as_deref()).flatten();
    let mut of_operands = row.operands.iter().chain(of_when).map(|operand| &operand.role);
    of_options.try_for_each(|role| check_role(role, RoleKind::Destination))?;
    of_operands.try_for_each(|role| check_role(role, RoleKind::Directory))?;
    row.after.iter().try_for_each(|role| check_role(role, RoleKind::Directory))?;
    row.subcommands.iter().map(|(_, inner)| inner).chain(&row.otherwise).try_for_each(|inner| only_of_policies(inner))
}

/// `without_effect` is the role that has none where this one stands.
fn check_role(role: &Role, without_effect: RoleKind) -> Result<(), String> {
    let problem = match role.kind {
        RoleKind::Command => {
            "`command` is a role of cavra's own rows: patterns of `commands` would not see the command that is run"
        }
        RoleKind::Pathspec => "`pathspec` is a role of cavra's own rows: only its analyser of git reads such arguments",
        RoleKind::Destination if without_effect == RoleKind::Destination => "`destination` is a role of operands alone",
        RoleKind::Directory if without_effect == RoleKind::Directory => {
            "`directory` is a role of values of options alone"
        }
        _ => return Ok(()),
    };
    Err(problem.to_owned())
}

/// A policy describes what has no meaning yet. On a disk that ignores case, `Git` is git, and `git2` looks like a version of it.
fn check_name(name: &str) -> Result<(), String> {
    let program = name.strip_prefix("python -m ").unwrap_or(name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+');
    let is_name = !program.is_empty()
        && program.len() <= LONGEST_NAME
        && program.chars().all(is_plain)
        && !program.starts_with(['-', '.', '+']);
    if !is_name {
        return Err(format!(
            "`{}` is no name of a program: letters, digits and `_-.+`, at most {LONGEST_NAME}; or `python -m NAME`",
            name.escape_debug().take(LONGEST_NAME).collect::<String>()
        ));
    }
    let lower = name.to_ascii_lowercase();
    let is_version = |rest: &str| rest.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '-');
    let versions = lower.char_indices().filter_map(|(at, _)| lower.split_at_checked(at));
    let mut meant = versions.filter(|(_, rest)| is_version(rest)).map(|(known, _)| known).chain([lower.as_str()]);
    let is_known = |name: &str| PROGRAMS.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    if let Some(known) = meant.find(|known| is_known(known) || crate::command::has_meaning(known)) {
        return Err(format!("`{name}`: cavra describes `{known}` itself, and a policy cannot change what it does"));
    }
    Ok(())
}

/// The built-in row of a program.
pub(crate) fn built_in(program: &str) -> Option<&'static Row> {
    let at = PROGRAMS.binary_search_by(|(known, _)| (*known).cmp(program)).ok()?;
    PROGRAMS.get(at).map(|(_, row)| *row)
}

impl Row {
    /// A one-letter option.
    pub fn letter(&self, letter: char) -> Option<(&str, &Takes)> {
        self.letters.iter().find(|(known, ..)| *known == letter).map(|(_, key, takes)| (key.as_ref(), takes))
    }

    /// An option of several characters, with its dashes.
    pub fn long(&self, name: &str) -> Option<(&str, &Takes)> {
        let at = self.long.binary_search_by(|(known, ..)| known.as_ref().cmp(name)).ok()?;
        self.long.get(at).map(|(_, key, takes)| (key.as_ref(), takes))
    }

    /// How many words behind an option are its values.
    pub fn values_behind(&self, option: &str) -> usize {
        let takes = if option.starts_with("--") || self.single_dash {
            if option.contains('=') {
                return 0;
            }
            self.long(option)
        } else {
            option.chars().last().and_then(|letter| self.letter(letter)).or_else(|| self.long(option))
        };
        match takes {
            Some((_, Takes::Values(roles))) => roles.len(),
            _ => 0,
        }
    }

    /// A subcommand.
    pub fn subcommand(&self, name: &str) -> Option<&Self> {
        let found = self.subcommands.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok();
        found.and_then(|at| self.subcommands.get(at)).map(|(_, row)| &**row).or(self.otherwise.as_deref())
    }
}
