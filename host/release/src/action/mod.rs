//! Operations on releases that are bound to an approval: a subject document, the approval, and the equalities that tie
//! them together become one document that says what was done. docs/reference/evidence-and-promotion.md, sections 8 and 10.
//!
//! Promotion and rollback are two rows of one mechanism.

mod channel;
mod event;
mod execution;
mod request;

use cavra_model::{Authorization, Binding, Object, Timestamp, authorization_problems};

use crate::ids::bound_id;
use crate::members::{filled, list, object};
use crate::signed::{PROMOTION_SIGNATURE, Trust, signature_problems};

pub use channel::{ChannelRequest, channel_decision, channel_problems, channel_record, channel_request};
pub use event::{Labels, PROMOTION_EVENT, ROLLBACK_EVENT, audit_documents, audit_event};
pub use execution::{Carried, Statement, carry_out, record_of};
pub use request::{
    CHANGE_BOARD, PROMOTION_REQUEST_SCHEMA, promotion_decision, promotion_refusals, promotion_request, request_summary,
};

/// One kind of operation.
#[derive(Debug)]
pub struct Action {
    /// `action_type` of the decision that has to be approved.
    pub operation: &'static str,
    /// Schema of the document that says what was done.
    pub schema: &'static str,
    /// Kind of its record.
    pub kind: &'static str,
    /// Member of the record that holds the document.
    pub payload: &'static str,
    /// Member of the document that holds its id.
    pub id: &'static str,
    id_prefix: &'static str,
    /// Schema, id member and name of the subject.
    subject: Subject,
    status: &'static str,
    record_status: &'static str,
    movement: &'static str,
    moved: fn(&Object) -> Movement,
    new_status: &'static str,
    /// The record keeps the subject, which is stored nowhere else, so that it can be audited from the record alone.
    keeps_subject: bool,
    /// Member of the document with the subject's digest.
    pub digest: &'static str,
    controls: [&'static str; 4],
    check: fn(&Object, &Object, &Trust) -> Vec<String>,
    bindings: for<'a> fn(&'a Object, &'a Expected) -> Vec<Binding<'a>>,
}

#[derive(Debug)]
struct Subject {
    schema: &'static str,
    id: &'static str,
    /// Member of the document and the record that names the subject.
    member: &'static str,
    /// Member of the audit links, and with dashes the scheme of references.
    link: &'static str,
    environment: &'static str,
}

/// From which ring to which, and in which state the rollout was.
#[derive(Clone, Debug, Default)]
struct Movement {
    from: String,
    to: String,
    previous_status: String,
}

/// What bindings compare with that the subject does not hold as a text of its own.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    decision_id: String,
    ring: String,
}

/// A promotion to the next ring.
pub static PROMOTION: Action = Action {
    operation: "release_promote_endpoint_rollout",
    schema: "cavra.go-runtime.endpoint-rollout-promotion-execution.v1",
    kind: "rollout-promotion-execution",
    payload: "execution",
    id: "execution_id",
    id_prefix: "rpe_",
    subject: Subject {
        schema: PROMOTION_REQUEST_SCHEMA,
        id: "request_id",
        member: "request_id",
        link: "promotion_request",
        environment: "environment",
    },
    status: "execution_status",
    record_status: "promotion_execution_status",
    movement: "ring_advancement",
    moved: |request| Movement {
        from: owned(request, "current_ring"),
        to: owned(request, "target_ring"),
        previous_status: owned(request, "rollout_status"),
    },
    new_status: "promoted",
    keeps_subject: true,
    digest: "request_sha256",
    controls: [
        "promotion-request-signature-verified",
        "approval-state-approved",
        "approval-bound-to-rollout",
        "ring-advancement-recorded",
    ],
    check: |request, approval, trust| {
        let mut problems = signature_problems(request, PROMOTION_SIGNATURE, trust);
        let named = object(request, "approval").and_then(|approval| filled(approval, "approval_id"));
        if named.is_some() && named != filled(approval, "approval_id") {
            problems.push("the request names another approval".to_owned());
        }
        problems
    },
    bindings: |request, expected| {
        vec![
            Binding::to("/decision_id", &expected.decision_id),
            Binding::to("/session_id", filled(request, "rollout_id").unwrap_or_default()),
            Binding::to("/decision/metadata/target_ring", filled(request, "target_ring").unwrap_or_default()),
            Binding::to("/decision/metadata/current_ring", filled(request, "current_ring").unwrap_or_default()),
        ]
    },
};

/// A rollback to the ring before a promotion.
pub static ROLLBACK: Action = Action {
    operation: "release_rollback_endpoint_rollout",
    schema: "cavra.go-runtime.endpoint-rollout-rollback-execution.v1",
    kind: "rollout-rollback-execution",
    payload: "rollback",
    id: "rollback_id",
    id_prefix: "rre_",
    subject: Subject {
        schema: PROMOTION.schema,
        id: "execution_id",
        member: "promotion_execution_id",
        link: "promotion_execution",
        environment: "execution_environment",
    },
    status: "rollback_status",
    record_status: "rollback_execution_status",
    movement: "ring_rollback",
    moved: |execution| {
        let advanced = object(execution, "ring_advancement").cloned().unwrap_or_default();
        Movement {
            from: owned(&advanced, "to"),
            to: owned(&advanced, "from"),
            previous_status: owned(&advanced, "new_rollout_status"),
        }
    },
    new_status: "rolled_back",
    keeps_subject: false,
    digest: "promotion_execution_sha256",
    controls: [
        "rollback-approval-state-approved",
        "rollback-bound-to-promotion-execution",
        "rollback-evidence-references-present",
        "ring-rollback-recorded",
    ],
    check: |execution, _, _| {
        let mut problems = Vec::new();
        let parts = filled(execution, "request_id").zip(filled(execution, "approval_id"));
        let recomputed = parts.map(|(request, approval)| PROMOTION.id_of(request, approval));
        if filled(execution, "execution_id") != recomputed.as_deref() {
            problems.push("execution_id is not that of its request and approval".to_owned());
        }
        if filled(execution, "execution_status") != Some("executed") {
            problems.push("the promotion was not executed".to_owned());
        }
        if list(execution, "rollback_evidence_refs").is_empty() {
            problems.push("rollback_evidence_refs is missing or empty".to_owned());
        }
        problems
    },
    bindings: |execution, expected| {
        vec![
            Binding::to("/session_id", filled(execution, "rollout_id").unwrap_or_default()),
            Binding::to(
                "/decision/metadata/promotion_execution_id",
                filled(execution, "execution_id").unwrap_or_default(),
            ),
            Binding::if_present("/decision/metadata/target_ring", &expected.ring),
        ]
    },
};

impl Action {
    /// Id of what is done to a subject under an approval.
    #[must_use]
    pub fn id_of(&self, subject_id: &str, approval_id: &str) -> String {
        bound_id(self.id_prefix, &[subject_id, approval_id])
    }

    /// Id of what a document of this kind says was done, recomputed from the subject and the approval it names.
    #[must_use]
    pub fn id_in(&self, document: &Object) -> Option<String> {
        Some(self.id_of(filled(document, self.subject.member)?, filled(document, "approval_id")?))
    }

    /// All that keeps the approval from letting this happen to the subject now.
    #[must_use]
    pub fn refusals(&self, subject: &Object, approval: &Object, trust: &Trust, now: Timestamp) -> Vec<String> {
        let mut problems = Vec::new();
        if filled(subject, "schema_version") != Some(self.subject.schema) {
            problems.push(format!("schema_version is not {}", self.subject.schema));
        }
        for member in [self.subject.id, "rollout_id"] {
            if filled(subject, member).is_none() {
                problems.push(format!("{member} is missing"));
            }
        }
        problems.extend((self.check)(subject, approval, trust));
        let moved = (self.moved)(subject);
        if moved.from.is_empty() || moved.to.is_empty() {
            problems.push("the rings are missing".to_owned());
        }
        let subject_id = filled(subject, self.subject.id).unwrap_or_default();
        let expected = Expected { decision_id: format!("{subject_id}:decision"), ring: moved.from };
        let bindings = (self.bindings)(subject, &expected);
        let wanted = Authorization { operation: self.operation, break_glass: false, bindings };
        problems.extend(authorization_problems(approval, &wanted, now));
        problems
    }

    /// Why a record that a client inserted is none of this kind that can be relied on; nothing if it is one.
    /// docs/reference/evidence-and-promotion.md, section 1.2.
    #[must_use]
    pub fn distrust(&self, record: &Object) -> Option<&'static str> {
        let Some(document) = object(record, self.payload) else { return Some("the record has no document") };
        let own = filled(document, self.id);
        let same = own.is_some() && own == filled(record, "session_id") && own == self.id_in(document).as_deref();
        (!same).then_some("the record's id is not that of its document")
    }
}

fn owned(object: &Object, member: &str) -> String {
    filled(object, member).unwrap_or_default().to_owned()
}
