//! Records of a family: how they are read for the rules, and which of them count.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use cavra_model::{APPROVALS, EVIDENCE_METADATA, EVIDENCE_ORIGINS, MetadataKind, Object, RELEASE_DELIVERIES, members};
use cavra_notify::{Clocks, Document, Facts, Stage, StageKind};
use cavra_store::{Criterion, Query, Test, Unreadable, Walk};

use super::Desk;
use super::request::Request;
use super::sending::enabled;
use crate::evidence::written;
use crate::outgoing::JOB_RUN;
use crate::page::PAGE_BYTES;
use crate::{CoreError, MAX_LIMIT};

/// Which records something may follow from: all of them, or those that the server wrote. While callers have to say who they
/// are, what anybody may post must not be a way around that.
#[derive(Clone, Debug)]
pub(super) struct Counted(Option<Arc<BTreeSet<String>>>);

impl Counted {
    /// Whether a record counts.
    pub fn counts(&self, record: &Object) -> bool {
        self.0.as_ref().is_none_or(|ours| ours.contains(&written(members::text(record, EVIDENCE_METADATA.id))))
    }
}

impl Desk<'_> {
    /// The family's document of a kind.
    pub fn stage(self, kind: StageKind) -> Result<&'static Stage, CoreError> {
        self.family.stage(kind).ok_or(CoreError::NotFound("such a document in this family"))
    }

    /// Shows `visit` the records of a `metadata_kind`, newest first, until it answers `false`. None comes twice.
    pub async fn each(self, value: &str, mut visit: impl FnMut(Object) -> bool) -> Result<(), CoreError> {
        let of_kind = Criterion { member: "metadata_kind", test: Test::Equals(value.to_owned()) };
        let mut query = Query {
            criteria: vec![of_kind],
            limit: MAX_LIMIT,
            bytes: Some(PAGE_BYTES),
            unreadable: Unreadable::Skip,
            ..Query::default()
        };
        loop {
            let page = self.app.evidence.store().list(&EVIDENCE_METADATA, query.clone()).await?;
            for record in page.items {
                if !visit(record) {
                    return Ok(());
                }
            }
            if page.next_cursor.is_none() || page.places == 0 {
                return Ok(());
            }
            query.cursor = page.next_cursor;
        }
    }

    /// Which records count at this moment.
    pub async fn counted(self) -> Result<Counted, CoreError> {
        if !self.app.gatekeeper.identifies() {
            return Ok(Counted(None));
        }
        let ours = Arc::new(Mutex::new(BTreeSet::new()));
        let sink = Arc::clone(&ours);
        let visit = move |origin: Object| {
            let subject = members::text(&origin, EVIDENCE_ORIGINS.id).to_owned();
            sink.lock().unwrap_or_else(PoisonError::into_inner).insert(subject);
            true
        };
        self.app.evidence.store().walk(&EVIDENCE_ORIGINS, Walk::default(), visit).await?;
        let ours = std::mem::take(&mut *ours.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Counted(Some(Arc::new(ours))))
    }

    /// What happened, by the records of some kinds and by deliveries.
    pub async fn facts(self, kinds: &[StageKind]) -> Result<Facts, CoreError> {
        let counted = self.counted().await?;
        let mut facts = Facts::default();
        let stages = kinds.iter().filter_map(|kind| self.family.stage(*kind)).map(|stage| stage.metadata_kind);
        for value in stages.chain(RELEASE_DELIVERIES.value) {
            self.each(value, |record| {
                if counted.counts(&record) {
                    facts.add(self.family, &record);
                }
                true
            })
            .await?;
        }
        if self.family.clocks == Clocks::Approvals {
            self.add_approvals(&mut facts).await?;
        }
        facts.sort();
        Ok(facts)
    }

    /// What happened, and what owners said of it.
    pub async fn reviewed_facts(self) -> Result<Facts, CoreError> {
        let told = self.family.told_by.iter().copied();
        self.facts(&told.chain([StageKind::Review]).collect::<Vec<_>>()).await
    }

    /// Adds what is known of approvals that wait, and of those that did when it was found out last which ones are late.
    async fn add_approvals(self, facts: &mut Facts) -> Result<(), CoreError> {
        let connectors = self.app.outgoing.events.as_ref();
        let providers = connectors.map(|connectors| enabled(connectors, self.family.conversations)).unwrap_or_default();
        let mut waiting = BTreeSet::new();
        let mut query = Query {
            filters: vec![("state", "pending".to_owned())],
            limit: MAX_LIMIT,
            bytes: Some(PAGE_BYTES),
            unreadable: Unreadable::Skip,
            ..Query::default()
        };
        loop {
            let page = self.app.approvals.list(query.clone()).await?;
            for approval in page.items.iter().filter(|approval| members::text(approval, "state") == "pending") {
                waiting.insert(members::text(approval, APPROVALS.id).to_owned());
                facts.add_approval(approval, &providers);
            }
            if page.next_cursor.is_none() || page.places == 0 {
                break;
            }
            query.cursor = page.next_cursor;
        }
        let late = self.newest(StageKind::EscalationPlan).await?.unwrap_or_default();
        let routes = members::objects(&late, "route_statuses").into_iter();
        let known: BTreeSet<&str> = routes.filter_map(|route| members::filled(route, APPROVALS.id)).collect();
        for id in known.into_iter().filter(|id| !waiting.contains(*id)) {
            match self.app.approvals.get(id).await {
                Ok(approval) => facts.add_approval(&approval, &providers),
                Err(CoreError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The connectors to which the run of a job has sent something of a source, or has begun to. A run that is done again
    /// leaves them out.
    pub async fn told_by_run(self, request: &Request, source: &str) -> Result<BTreeSet<String>, CoreError> {
        let mut told = BTreeSet::new();
        let Some(run) = &request.run else { return Ok(told) };
        self.each(RELEASE_DELIVERIES.value.unwrap_or_default(), |record| {
            let is = |member: &str, text: &str| members::text(&record, member) == text;
            if is(JOB_RUN, run.name()) && is("connector_delivery_source", source) {
                let failed = members::texts(&record, "failed_providers");
                let reached = members::texts(&record, "providers").into_iter().filter(|name| !failed.contains(name));
                told.extend(reached.map(ToOwned::to_owned));
            }
            true
        })
        .await?;
        Ok(told)
    }

    /// The newest document of a kind that counts.
    pub async fn newest(self, kind: StageKind) -> Result<Option<Object>, CoreError> {
        let (stage, counted) = (self.stage(kind)?, self.counted().await?);
        let mut newest = None;
        self.each(stage.metadata_kind, |record| {
            newest = counted.counts(&record).then(|| document(stage, record)).flatten();
            newest.is_none()
        })
        .await?;
        Ok(newest)
    }

    /// The document of a kind that the path of a call names.
    pub async fn named(self, kind: StageKind, id: &str) -> Result<Object, CoreError> {
        let stage = self.stage(kind)?;
        let row = MetadataKind::of(Some(stage.metadata_kind));
        let record = self.app.evidence.get(row, id).await?;
        document(stage, record).ok_or(CoreError::NotFound(row.name))
    }

    /// As [`Desk::named`], of what may be sent: while callers have to say who they are, only what the server wrote.
    pub async fn deliverable(self, kind: StageKind, id: &str) -> Result<Object, CoreError> {
        let document = self.named(kind, id).await?;
        if self.app.gatekeeper.identifies() && !self.app.evidence.is_ours(id).await? {
            return Err(CoreError::Conflict(
                "a client posted this record; only what the server wrote is sent".to_owned(),
            ));
        }
        Ok(document)
    }

    /// Whether there is a document of a kind whose member is this text.
    pub async fn some_say(self, kind: StageKind, member: &str, text: &str) -> Result<bool, CoreError> {
        let stage = self.stage(kind)?;
        let mut found = false;
        self.each(stage.metadata_kind, |record| {
            let document = members::object(&record, stage.payload);
            found = document.is_some_and(|document| members::text(document, member) == text);
            !found
        })
        .await?;
        Ok(found)
    }

    /// The record that keeps a document.
    pub fn record(self, kind: StageKind, document: &Document, signer: &str) -> Result<Object, CoreError> {
        let at = ["generated_at", "acknowledged_at", "reviewed_at"];
        let at = at.iter().find_map(|name| members::filled(&document.content, name)).unwrap_or_default();
        Ok(self.stage(kind)?.record(document, at, signer))
    }
}

/// The document that a record keeps.
pub(super) fn document(stage: &Stage, mut record: Object) -> Option<Object> {
    match record.remove(stage.payload) {
        Some(serde_json::Value::Object(document)) => Some(document),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_notify::families::{ENDPOINT_REMEDIATION, ROLLBACK_DRILLS, WAITING_APPROVALS};

    /// What a family keeps is a kind of evidence with the same document.
    #[test]
    fn every_document_has_a_row() {
        let stages = ENDPOINT_REMEDIATION.stages.iter().chain(ROLLBACK_DRILLS.stages).chain(WAITING_APPROVALS.stages);
        for stage in stages {
            let kind = MetadataKind::of(Some(stage.metadata_kind));
            assert_eq!((kind.value, kind.document), (Some(stage.metadata_kind), Some(stage.payload)));
        }
    }
}
