//! A row as people write it, and what is made of it. The build script and policies go the same way.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use super::row::{Analyser, Does, Inner, Operand, Role, Row, Takes, Text, When};

/// How deep subcommands may have subcommands.
const MOST_LEVELS: usize = 8;

/// Most values of one option. Each of its names gets a copy of them.
const MOST_VALUES: usize = 16;

/// Kinds of code that a row may say is run; `docs/commands.md` lists them.
const KINDS: [&str; 16] = [
    "project_test",
    "project_lint",
    "project_build",
    "project_script",
    "project_task",
    "project_hook",
    "script",
    "inline",
    "package",
    "install",
    "remote",
    "privilege",
    "program",
    "server",
    "permission",
    "service",
];

/// A row as it is written; `docs/commands.md` says what its members mean.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Source {
    program: Option<String>,
    programs: Vec<String>,
    flags: String,
    options: BTreeMap<String, String>,
    operands: Vec<String>,
    does: Vec<String>,
    bare: Vec<String>,
    when: Vec<SourceWhen>,
    subcommands: BTreeMap<String, Source>,
    otherwise: Option<Box<Source>>,
    analyser: Option<String>,
    after: Option<String>,
    options_first: bool,
    single_dash: bool,
    inherits: bool,
    free: bool,
    #[serde(rename = "notes")]
    _notes: serde::de::IgnoredAny,
    tests: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SourceWhen {
    given: String,
    without: String,
    operands: Option<Vec<String>>,
    does: Vec<String>,
    instead: bool,
}

impl Source {
    /// The names that the row is for.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.program.iter().chain(&self.programs)
    }

    /// The row.
    ///
    /// # Errors
    /// A sentence about the first thing that means nothing.
    pub fn row(&self) -> Result<Row, String> {
        self.row_below(&mut Vec::new())
    }

    /// The row of a subcommand. `keys` holds those of the options of each row around it.
    fn row_below(&self, keys: &mut Vec<BTreeSet<Text>>) -> Result<Row, String> {
        if keys.len() > MOST_LEVELS {
            return Err(format!("subcommands are nested in more than {MOST_LEVELS} levels"));
        }
        if !keys.is_empty() && (self.tests.is_some() || self.names().next().is_some()) {
            return Err("names and `tests` stand in the row of the program, not in that of a subcommand".to_owned());
        }
        let (letters, long) = self.all_options()?;
        keys.push(letters.values().chain(long.values()).map(|(key, _)| key.clone()).collect());
        for key in self.when.iter().flat_map(SourceWhen::keys) {
            if !keys.iter().any(|of_row| of_row.contains(key)) {
                return Err(format!("`when` names `{key}`, which is the key of no option"));
            }
        }
        let mut inner = |source: &Self| -> Result<Inner, String> { Ok(Inner::Read(Arc::new(source.row_below(keys)?))) };
        let mut subcommands = BTreeMap::new();
        for (names, source) in &self.subcommands {
            let row = inner(source).map_err(|error| format!("{names}: {error}"))?;
            for name in names.split(',').map(str::trim) {
                if subcommands.insert(owned(name), row.clone()).is_some() {
                    return Err(format!("the subcommand `{name}` is there twice"));
                }
            }
        }
        let otherwise = self.otherwise.as_deref().map(&mut inner).transpose()?;
        keys.pop();
        Ok(Row {
            letters: letters.into_iter().map(|(letter, (key, takes))| (letter, key, takes)).collect(),
            long: long.into_iter().map(|(name, (key, takes))| (name, key, takes)).collect(),
            operands: operands(&self.operands)?.into(),
            does: does(&self.does)?.into(),
            bare: does(&self.bare)?.into(),
            when: self.when.iter().map(SourceWhen::when).collect::<Result<_, _>>()?,
            subcommands: subcommands.into_iter().collect(),
            otherwise,
            analyser: self.analyser.as_deref().map(named::<Analyser>).transpose()?,
            after: self.after.as_deref().map(role).transpose()?,
            options_first: self.options_first,
            single_dash: self.single_dash,
            inherits: self.inherits,
            free: self.free,
        })
    }

    /// One-letter options, and all others.
    fn all_options(&self) -> Result<(Options<char>, Options<Text>), String> {
        let (mut letters, mut long) = (Options::new(), Options::new());
        let mut add = |name: &str, key: &str, takes: Takes| {
            let entry = (owned(key), takes);
            let mut characters = name.chars();
            let is_new = match (characters.next(), characters.next()) {
                (Some(letter), None) if letter != '-' => letters.insert(letter, entry).is_none(),
                _ => long.insert(owned(name), entry).is_none(),
            };
            if is_new { Ok(()) } else { Err(format!("the option `{name}` is there twice")) }
        };
        for word in self.flags.split_whitespace() {
            if word.starts_with('-') {
                let (name, key) = word.split_once('=').unwrap_or((word, word));
                add(name, key, Takes::Nothing)?;
            } else {
                for letter in word.chars() {
                    let name = letter.to_string();
                    add(&name, &name, Takes::Nothing)?;
                }
            }
        }
        for (names, roles) in &self.options {
            let (is_joined, roles) = roles.strip_prefix('=').map_or((false, roles.as_str()), |rest| (true, rest));
            let roles = roles.split(',').map(|text| role(text.trim())).collect::<Result<Vec<_>, _>>()?;
            if roles.len() > MOST_VALUES {
                return Err(format!("`{names}` takes more than {MOST_VALUES} values"));
            }
            let takes = if is_joined { Takes::Joined(roles.into()) } else { Takes::Values(roles.into()) };
            let names: Vec<&str> = names.split_whitespace().collect();
            let key = names.first().copied().unwrap_or_default();
            for name in &names {
                add(name, key, takes.clone())?;
            }
        }
        Ok((letters, long))
    }
}

/// Options by name: their key and what they take.
type Options<N> = BTreeMap<N, (Text, Takes)>;

impl SourceWhen {
    /// The keys of options that it names.
    fn keys(&self) -> impl Iterator<Item = &str> {
        self.given.split_whitespace().chain(self.without.split_whitespace())
    }

    fn when(&self) -> Result<When, String> {
        let keys = |text: &str| text.split_whitespace().map(owned).collect();
        Ok(When {
            given: keys(&self.given),
            without: keys(&self.without),
            operands: self.operands.as_ref().map(|list| operands(list)).transpose()?.map(Cow::Owned),
            does: does(&self.does)?.into(),
            instead: self.instead,
        })
    }
}

fn owned(text: &str) -> Text {
    Cow::Owned(text.to_owned())
}

/// A word of a closed set; the sentence about any other lists them.
fn named<'d, T: Deserialize<'d>>(word: &'d str) -> Result<T, String> {
    let deserializer: StrDeserializer<'d, Error> = word.into_deserializer();
    T::deserialize(deserializer).map_err(|error| error.to_string())
}

fn operands(list: &[String]) -> Result<Vec<Operand>, String> {
    let one = |text: &String| {
        let (text, many) = text.strip_suffix('*').map_or((text.as_str(), false), |rest| (rest, true));
        Ok(Operand { role: role(text)?, many })
    };
    list.iter().map(one).collect()
}

/// A role, with its argument behind a blank.
fn role(text: &str) -> Result<Role, String> {
    let (name, argument) = text.split_once(' ').unwrap_or((text, ""));
    Ok(Role { kind: named(name)?, argument: owned(argument) })
}

fn does(list: &[String]) -> Result<Vec<Does>, String> {
    let one = |text: &String| {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let kind = rest.split(' ').next().unwrap_or_default();
        if verb == "run" && !KINDS.contains(&kind) {
            return Err(format!("`{kind}` is no kind of code; there are {}", KINDS.join(", ")));
        }
        Ok(Does { verb: named(verb)?, text: owned(rest) })
    };
    list.iter().map(one).collect()
}
