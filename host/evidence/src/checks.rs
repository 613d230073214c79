//! Verifiers as lists of named checks, all of which run and collect what they find. docs/reference/evidence-and-promotion.md, section 3.3.
//!
//! A verifier is a subject, read once, and a list of [`Check`]s over it. A check says what is wrong and goes on, so that
//! one run names everything that has to be repaired.

use std::collections::HashSet;

use serde_json::{Value, json};

/// One named check over a subject.
#[derive(Debug)]
pub struct Check<S: ?Sized> {
    name: &'static str,
    gate: bool,
    run: fn(&S, &mut Findings),
}

impl<S: ?Sized> Check<S> {
    /// A check that others do not depend on.
    pub const fn new(name: &'static str, run: fn(&S, &mut Findings)) -> Self {
        Self { name, gate: false, run }
    }

    /// A check without which the ones after it make no sense: they do not run if it finds an error.
    pub const fn gate(name: &'static str, run: fn(&S, &mut Findings)) -> Self {
        Self { name, gate: true, run }
    }
}

/// What one check found: errors, which make the subject invalid, and warnings, which people should read. A report says
/// each once, however many checks found it, or a check how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    /// Something is wrong.
    pub fn error(&mut self, message: impl Into<String>) {
        self.errors.push(message.into());
    }

    /// Something is worth knowing.
    pub fn warn(&mut self, message: impl Into<String>) {
        self.warnings.push(message.into());
    }

    /// An error unless `holds`.
    pub fn require(&mut self, holds: bool, message: impl Into<String>) {
        if !holds {
            self.error(message);
        }
    }
}

/// What became of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStatus {
    /// It found no error.
    Passed,
    /// It found errors.
    Failed,
    /// A check before it failed, without which it makes no sense.
    Skipped,
}

impl CheckStatus {
    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// What all checks of a verifier found, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    checks: Vec<(&'static str, CheckStatus)>,
    findings: Findings,
}

impl Report {
    /// Runs every check over `subject`.
    pub fn of<'c, S: ?Sized + 'c>(subject: &S, checks: impl IntoIterator<Item = &'c Check<S>>) -> Self {
        let mut report = Self::default();
        let mut stopped = false;
        for check in checks {
            if stopped {
                report.checks.push((check.name, CheckStatus::Skipped));
                continue;
            }
            let mut findings = Findings::default();
            (check.run)(subject, &mut findings);
            let passed = findings.errors.is_empty();
            stopped = check.gate && !passed;
            report.checks.push((check.name, if passed { CheckStatus::Passed } else { CheckStatus::Failed }));
            report.findings.errors.append(&mut findings.errors);
            report.findings.warnings.append(&mut findings.warnings);
        }
        report.each_once()
    }

    fn each_once(mut self) -> Self {
        for texts in [&mut self.findings.errors, &mut self.findings.warnings] {
            let mut told = HashSet::new();
            texts.retain(|text| told.insert(text.clone()));
        }
        self
    }

    /// Whether no check found an error.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.findings.errors.is_empty()
    }

    /// Every error, in the order of the checks.
    #[must_use]
    pub fn errors(&self) -> &[String] {
        &self.findings.errors
    }

    /// Every warning, in the order of the checks.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.findings.warnings
    }

    /// Every check by name, with what became of it.
    #[must_use]
    pub fn checks(&self) -> &[(&'static str, CheckStatus)] {
        &self.checks
    }

    /// The findings of `other` after those of this report: for a subject that is made of others.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.checks.extend(other.checks);
        self.findings.errors.extend(other.findings.errors);
        self.findings.warnings.extend(other.findings.warnings);
        self.each_once()
    }

    /// `valid`, `errors`, `warnings` and the status of each check, for answers in JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let checks: Vec<_> =
            self.checks.iter().map(|(name, status)| json!({"check": name, "status": status.as_str()})).collect();
        json!({
            "valid": self.is_valid(),
            "errors": self.errors(),
            "warnings": self.warnings(),
            "checks": checks,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: [Check<str>; 3] = [
        Check::gate("not empty", |text, found| found.require(!text.is_empty(), "nothing there")),
        Check::new("digits", |text, found| {
            for c in text.chars().filter(|c| !c.is_ascii_digit()) {
                found.error(format!("no digit: {c}"));
            }
        }),
        Check::new("short", |text, found| {
            if text.len() > 2 {
                found.warn("long");
            }
        }),
    ];

    #[test]
    fn every_check_runs_and_everything_is_collected() {
        let report = Report::of("1a2b", &NUMBER);
        assert_eq!(report.errors(), ["no digit: a", "no digit: b"]);
        assert_eq!(report.warnings(), ["long"]);
        assert!(!report.is_valid());
        assert_eq!(
            report.to_value(),
            json!({
                "valid": false, "errors": ["no digit: a", "no digit: b"], "warnings": ["long"],
                "checks": [
                    {"check": "not empty", "status": "passed"},
                    {"check": "digits", "status": "failed"},
                    {"check": "short", "status": "passed"},
                ],
            })
        );
        assert!(Report::of("12", &NUMBER).is_valid());
    }

    #[test]
    fn a_gate_stops_what_depends_on_it() {
        let report = Report::of("", &NUMBER);
        assert_eq!(report.errors(), ["nothing there"]);
        let skipped = report.checks().iter().filter(|(_, status)| *status == CheckStatus::Skipped).count();
        assert_eq!(skipped, 2);
    }

    #[test]
    fn reports_of_parts_add_up() {
        let both = Report::of("a", &NUMBER).and(Report::of("b", &NUMBER));
        assert_eq!(both.errors(), ["no digit: a", "no digit: b"]);
        assert_eq!(both.checks().len(), 6);
    }

    #[test]
    fn a_sentence_is_said_once() {
        assert_eq!(Report::of("aba", &NUMBER).errors(), ["no digit: a", "no digit: b"]);
        let both = Report::of("aba", &NUMBER).and(Report::of("cba", &NUMBER));
        assert_eq!((both.errors().len(), both.warnings()), (3, &["long".to_owned()][..]));
    }
}
