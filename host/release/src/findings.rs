//! Findings about files: every text names its file.

use std::fmt::Display;

use cavra_evidence::Findings;

/// Findings that begin with the file they are about.
pub(crate) trait AboutFiles {
    /// Something is wrong with a file.
    fn wrong(&mut self, file: impl Display, problem: impl Display);

    /// The same unless `holds`.
    fn expect(&mut self, holds: bool, file: impl Display, problem: impl Display);

    /// An error where it is `required`, else a warning.
    fn lacking(&mut self, required: bool, file: impl Display, problem: impl Display);
}

impl AboutFiles for Findings {
    fn wrong(&mut self, file: impl Display, problem: impl Display) {
        self.error(format!("{file}: {problem}"));
    }

    fn expect(&mut self, holds: bool, file: impl Display, problem: impl Display) {
        if !holds {
            self.wrong(file, problem);
        }
    }

    fn lacking(&mut self, required: bool, file: impl Display, problem: impl Display) {
        let text = format!("{file}: {problem}");
        if required { self.error(text) } else { self.warn(text) }
    }
}
