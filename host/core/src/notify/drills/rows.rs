//! Routes of stored plans as rows, and how often they were suppressed.

use std::cmp::Reverse;

use cavra_model::{Object, Timestamp, members};
use cavra_notify::{DrillTrend, Family, Filters, RouteRow, StageKind, provider_name, route_rows};
use cavra_store::Page;
use serde_json::json;

use crate::notify::{Call, Desk};
use crate::{App, CoreError, PageRequest};

const SCHEMA: &str = "cavra.go-backend-pilot.rollback-drill-routing-history.v1";

impl App {
    /// A page of the routes of stored plans, newest first.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn drill_routes(&self, family: &'static Family, request: &PageRequest) -> Result<Object, CoreError> {
        let text = |name: &str| request.parameter(name).map(ToOwned::to_owned);
        let filters = Filters {
            schedule_id: text("schedule_id"),
            provider: request.parameter("provider").map(provider_name),
            owner: text("owner"),
        };
        let (action, category) = (text("action"), text("category"));
        let is = |wanted: &Option<String>, row: &Object, name: &str| {
            wanted.as_ref().is_none_or(|wanted| members::text(row, name) == wanted)
        };
        let mut rows = Desk { app: self, family }.rows(&filters).await?;
        rows.retain(|row| is(&action, &row.row, "action") && is(&category, &row.row, "category"));
        rows.sort_by(|left, right| (Reverse(left.at), &left.id).cmp(&(Reverse(right.at), &right.id)));
        let total = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let (offset, limit) = (request.offset(), request.limit());
        let items: Vec<Object> = rows
            .into_iter()
            .skip(usize::try_from(offset).unwrap_or(usize::MAX))
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .map(|row| row.row)
            .collect();
        let mut answer = request.answer(Page { items, total, ..Page::default() });
        let mut shown = members::built(filters.document());
        shown.insert("action".to_owned(), json!(action));
        shown.insert("category".to_owned(), json!(category));
        answer.insert("filters".to_owned(), json!(shown));
        answer.insert("schema_version".to_owned(), json!(SCHEMA));
        answer.insert("product".to_owned(), json!("CAVRA"));
        Ok(answer)
    }
}

impl Desk<'_> {
    /// How often routes were suppressed. Who only looks adds nothing by looking again.
    pub async fn trend_drills(self, call: Call) -> Result<Object, CoreError> {
        let request = self.request(call)?;
        let (filters, by) = (request.filters()?, request.looked_by(self.app.gatekeeper.identifies())?);
        let mut trend = DrillTrend::default();
        for row in self.rows(&filters).await? {
            trend.add(row);
        }
        let now = Timestamp::now();
        let trend = trend.trend(self.stage(StageKind::SuppressionTrend)?, &filters.document(), &by, now);
        let record = self.record(StageKind::SuppressionTrend, &trend, &by)?;
        let stored = self.app.evidence.put_own(vec![record], &request.caller).await?;
        Ok(members::built(json!({ "trend": trend.content, "metadata": stored.first() })))
    }

    async fn rows(self, filters: &Filters) -> Result<Vec<RouteRow>, CoreError> {
        let stage = self.stage(StageKind::NotificationPlan)?;
        let mut rows = Vec::new();
        self.each(stage.metadata_kind, |record| {
            if let Some(plan) = members::object(&record, stage.payload) {
                let all = route_rows(plan, members::text(&record, "created_at"));
                rows.extend(all.into_iter().filter(|row| filters.fit(&row.row)));
            }
            true
        })
        .await?;
        Ok(rows)
    }
}
