//! The files of redirections.

use brush_parser::ast::{IoFileRedirectKind as Kind, IoFileRedirectTarget as Target, IoRedirect};

use super::Splitter;
use super::word::Word;
use crate::clean_path;

/// Files that are no files.
const STANDARD_FILES: [&str; 5] = ["/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/tty"];

impl Splitter {
    /// Notes what a redirection opens. Its target is a word of the text.
    pub(super) fn redirect_file(&mut self, redirect: &IoRedirect, target: &Word) {
        let (reads, writes) = match redirect {
            IoRedirect::File(_, _, Target::Duplicate(_)) if duplicates(target) => return,
            IoRedirect::File(_, kind, _) => match kind {
                Kind::Read => (true, false),
                Kind::ReadAndWrite => (true, true),
                Kind::Write | Kind::Append | Kind::Clobber | Kind::DuplicateOutput => (false, true),
                Kind::DuplicateInput => return self.unresolved("a file descriptor that is not fixed text"),
            },
            IoRedirect::OutputAndError(..) => (false, true),
            IoRedirect::HereString(..) | IoRedirect::HereDocument(..) => return,
        };
        if target.is_process() {
            return;
        }
        let Some(path) = target.literal().and_then(|text| clean_path(&text).ok()) else {
            return self.unresolved("a redirection to a file whose name is not fixed text");
        };
        if STANDARD_FILES.contains(&path.as_str()) || path.starts_with("/dev/fd/") {
            return;
        }
        if path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/") {
            self.unresolved("a redirection to the network");
        }
        for (wanted, list) in [(reads, &mut self.reads), (writes, &mut self.writes)] {
            if wanted && !list.contains(&path) {
                list.push(path.clone());
            }
        }
    }
}

/// True for `1`, `-` and `1-`, as they follow `>&`.
pub(super) fn duplicates(target: &Word) -> bool {
    target.plain().is_some_and(|text| {
        let digits = text.strip_suffix('-').unwrap_or(text);
        digits.bytes().all(|b| b.is_ascii_digit())
    })
}
