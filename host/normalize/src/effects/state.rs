//! What holds at a place of a script: the directory, the values of variables, whether the environment was changed.

use super::words::Arg;

/// The directory that relative names are joined with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Directory {
    /// It is this one, or, if it is a pattern, one of these.
    Known {
        /// Absolute path or glob.
        path: String,
        /// The path is a glob.
        pattern: bool,
    },
    /// It cannot be told, for this reason.
    Unknown(&'static str),
}

/// What holds before a command runs.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// The working directory.
    pub directory: Directory,
    /// The directory was changed, so that it may hold another repository than the one that was looked at.
    pub moved: bool,
    /// Variables that the script set, and what they may be; `None` for a value that is not known.
    pub variables: Vec<(String, Option<Vec<Arg>>)>,
    /// The environment of programs was changed in a way that may change what they do: the assignment.
    pub altered: Option<String>,
    /// The shell has ended here.
    pub ended: bool,
}

impl State {
    pub fn in_directory(path: String) -> Self {
        let directory = Directory::Known { path, pattern: false };
        Self { directory, moved: false, variables: Vec::new(), altered: None, ended: false }
    }

    /// The value of a variable that the script set.
    pub fn variable(&self, name: &str) -> Option<Option<&[Arg]>> {
        let (_, value) = self.variables.iter().find(|(known, _)| known == name)?;
        Some(value.as_deref())
    }

    pub fn set(&mut self, name: &str, value: Option<Vec<Arg>>) {
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.variables.push((name.to_owned(), value)),
        }
    }

    /// What holds if this state or another does.
    pub fn or(self, other: Self) -> Self {
        if self.ended {
            return other;
        }
        if other.ended {
            return self;
        }
        let mut both = self;
        if both.directory != other.directory {
            both.directory = Directory::Unknown("the working directory depends on what happens before");
        }
        both.moved |= other.moved;
        both.altered = both.altered.or_else(|| other.altered.clone());
        for (name, value) in &mut both.variables {
            if other.variable(name) != Some(value.as_deref()) {
                *value = None;
            }
        }
        for (name, _) in other.variables {
            if both.variable(&name).is_none() {
                both.variables.push((name, None));
            }
        }
        both
    }
}
