//! Rows of notification families: each is a family and what is done for it. docs/reference/remediation-sla.md and docs/reference/connectors-drills-ops-registry.md, section 3.

mod approvals;
mod drills;
mod sla;
mod standing;

use cavra_core::{Board, Family, History, LogEvent, Operation};
use cavra_identity::Scope;

use crate::access::Access;
use crate::documents::{NOTIFICATION_DASHBOARD, dashboard};
use crate::endpoint::{Effect, Endpoint, named, titled_page_of};
use crate::handlers::notifications;

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
    [sla::rows(), drills::rows(), approvals::rows(), standing::rows()].into_iter().flatten().collect()
}

/// What is written leaves the same word in the log, whatever it is.
const KEPT: Effect = Effect::Changes(&[LogEvent::EvidenceRecorded]);

/// Rows of one family.
#[derive(Clone, Copy)]
struct Rows {
    family: &'static Family,
    /// Group in the documentation.
    tag: &'static str,
}

/// What a row is called: its path, the name of its operation and what it does.
type Name = (&'static str, &'static str, &'static str);

impl Rows {
    /// A call that plans, sends or records; `answer` is the document that it answers with.
    fn acts(self, (path, operation, summary): Name, what: Operation, answer: &'static str) -> Endpoint {
        let access = Access::loosens(Scope::Evidence);
        Endpoint::post(access, KEPT, path, operation, notifications::operation(self.family, what))
            .about(self.tag, summary)
            .takes("NotificationRequest")
            .answers(named(answer))
            .body_optional()
            .refuses(&[404, 409])
            .long()
    }

    /// A call in somebody's name: an answer, a review.
    fn answers(self, name: Name, what: Operation, answer: &'static str) -> Endpoint {
        Endpoint { access: Access::in_person(Scope::Evidence), ..self.acts(name, what, answer) }
    }

    /// A look that keeps what it saw, under an id that says what that was.
    fn looks(self, (path, operation, summary): Name, what: Operation, answer: &'static str) -> Endpoint {
        Endpoint::get(Access::READ, path, operation, notifications::look(self.family, what))
            .about(self.tag, summary)
            .answers(named(answer))
            .long()
    }

    fn history(self, (path, operation, summary): Name, history: &'static History) -> Endpoint {
        Endpoint::get(Access::READ, path, operation, notifications::history(self.family, history))
            .about(self.tag, summary)
            .answers(titled_page_of("EvidenceMetadata"))
            .looks_into(history)
            .paged()
            .long()
    }

    fn board(self, (path, operation, summary): Name, board: &'static Board) -> Endpoint {
        Endpoint::get(Access::READ, path, operation, notifications::board(self.family, board))
            .about(self.tag, summary)
            .answers(dashboard(board.counts, &NOTIFICATION_DASHBOARD))
            .long()
    }
}
