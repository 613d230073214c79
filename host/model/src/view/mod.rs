//! Views: what dashboards, trends and health checks say about records, as rows.
//!
//! A view is a list of named measures; a [`Folder`] takes one record after the other and answers them all. It keeps no
//! records, and of values at most as many as a measure says, so it needs no more memory for a million records than for
//! a thousand.

mod condition;
mod fold;
#[cfg(test)]
mod tests;

pub use condition::Condition;
pub use fold::Folder;

/// A row of a view: a member of the answer and what it says.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// The member; [`SPREAD`] puts the members of an inner view beside the others.
    pub name: &'static str,
    /// What it says.
    pub measure: Measure,
}

/// What is said about records. Members are named by paths with dots, such as `decision.repository`. Where records are told
/// apart by a member, several joined by `+` count as one: `handoff_id+provider`.
#[derive(Clone, Copy, Debug)]
pub enum Measure {
    /// Always this text, such as a schema version.
    Constant(&'static str),
    /// How many they are.
    Count,
    /// How many meet a condition.
    CountIf(Condition),
    /// The sum of a member, as far as it is a whole number.
    Sum(&'static str),
    /// The same over the records that meet a condition.
    SumIf(&'static str, Condition),
    /// How many elements the lists in a member have together.
    Elements(&'static str),
    /// How many different values a member has.
    Distinct {
        /// The member.
        by: &'static str,
        /// Most values that are told apart.
        most: usize,
    },
    /// The newest time in a member, as it was written; null without any.
    Newest(&'static str),
    /// The share that meets `part` among those that meet `of`, from 0 to 1 with four digits; 0 of none.
    Share {
        /// What is counted.
        part: Condition,
        /// Among what.
        of: Condition,
    },
    /// The share that meets `part` among those that meet `of`, in percent with two digits; 0 of none.
    Ratio {
        /// What is counted.
        part: Condition,
        /// Among what.
        of: Condition,
    },
    /// How many have each value of a member: an object. Of a list, each element counts.
    CountBy {
        /// The member.
        by: &'static str,
        /// Most values; the others are counted together as [`OTHERS`].
        most: usize,
    },
    /// As [`Measure::CountBy`]; records without a value count as one that is called like this.
    CountByOr {
        /// The member.
        by: &'static str,
        /// What records without a value are counted as.
        without: &'static str,
        /// Most values; the others are counted together as [`OTHERS`].
        most: usize,
    },
    /// The most frequent values of a member: a list of `value` and `count`.
    Top {
        /// The member.
        by: &'static str,
        /// Most values that are shown.
        most: usize,
    },
    /// A view of the records of each value of a member: an object.
    Group {
        /// The member.
        by: &'static str,
        /// What is said of each.
        view: &'static [Measured],
        /// Most values; records of others are in the group [`OTHERS`].
        most: usize,
    },
    /// A view of the records of each value of a member: a list, by value, whose rows name the value.
    Rows {
        /// The member.
        by: &'static str,
        /// The member of a row that names the value.
        name: &'static str,
        /// What is said of each.
        view: &'static [Measured],
        /// Most values; records of others are in the row [`OTHERS`].
        most: usize,
    },
    /// A view of the newest record of each value of a member.
    LatestBy {
        /// The member.
        by: &'static str,
        /// The time of a record.
        time: &'static str,
        /// What is said of the newest ones.
        view: &'static [Measured],
        /// Most values; the records of others are not looked at.
        most: usize,
    },
    /// A view of the elements of a list that each record holds.
    Flatten {
        /// The list.
        list: &'static str,
        /// What is said of its elements.
        view: &'static [Measured],
    },
    /// A view of the records that meet a condition.
    Where {
        /// The condition.
        condition: Condition,
        /// What is said of them.
        view: &'static [Measured],
    },
    /// The first records as they come, with some of their members.
    First {
        /// Most records.
        most: usize,
        /// Names and paths of their members.
        members: &'static [(&'static str, &'static str)],
    },
    /// The first elements of the lists in a member, as they come.
    Listed {
        /// The list.
        list: &'static str,
        /// Most elements.
        most: usize,
    },
    /// What somebody should know: a list.
    Alerts(&'static Alerts),
    /// The same, where the level is called `severity`.
    Severities(&'static Alerts),
    /// The gravest level among alerts, `healthy` without any.
    WorstOf(&'static Alerts),
}

/// What somebody should know, of single records or of there being none.
#[derive(Debug)]
pub struct Alerts {
    /// The first that applies to a record counts.
    pub rows: &'static [Alert],
    /// If there is no record at all.
    pub empty: Option<(Level, &'static str)>,
    /// Most alerts that are listed; the gravest level counts all.
    pub most: usize,
}

/// An alert.
#[derive(Debug)]
pub struct Alert {
    /// The records it is about.
    pub when: Condition,
    /// How grave it is.
    pub level: Level,
    /// What it says; `{path}` stands for a member.
    pub message: &'static str,
    /// Members of the record that it shows: names and paths.
    pub members: &'static [(&'static str, &'static str)],
}

/// How grave an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// There is nothing.
    Healthy,
    /// Somebody should look.
    Warning,
    /// Somebody has to act.
    Critical,
}

impl Level {
    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// The name under which values are counted that go beyond what a measure keeps apart.
pub const OTHERS: &str = "(others)";

/// The name of a row that has no member of its own: those of its inner view stand beside the others.
pub const SPREAD: &str = "";

/// A row of a view.
#[must_use]
pub const fn measured(name: &'static str, measure: Measure) -> Measured {
    Measured { name, measure }
}
