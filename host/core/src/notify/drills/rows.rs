//! Routes of stored plans as rows, and how often they were suppressed.

use cavra_model::{Object, Timestamp, members};
use cavra_notify::{DrillTrend, Family, Filters, RouteRow, Stage, StageKind, provider_name, route_rows};
use cavra_store::Standing;
use serde_json::json;

use crate::notify::listing::{Item, Listing};
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
        let desk = Desk { app: self, family };
        let stage = desk.stage(StageKind::NotificationPlan)?;
        let listing = Listing::begin(self, SCHEMA, request).await?;
        let mut found = Vec::new();
        let take = |standing: Standing, record: Object| {
            let mut rows = rows_of(stage, &record, &filters);
            rows.retain(|row| is(&action, &row.row, "action") && is(&category, &row.row, "category"));
            rows.sort_by(|left, right| left.id.cmp(&right.id));
            found.extend((0..).zip(rows).map(|(nth, row)| (standing.nth(nth), Item::Row(row.row))));
        };
        listing.each(desk, stage.metadata_kind, take).await?;
        let page = listing.page(self, found).await?;
        let mut answer = request.answer(page);
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
        let (trend, metadata) = self.look(StageKind::SuppressionTrend, trend, &by, &request).await?;
        Ok(members::built(json!({ "trend": trend, "metadata": metadata })))
    }

    async fn rows(self, filters: &Filters) -> Result<Vec<RouteRow>, CoreError> {
        let stage = self.stage(StageKind::NotificationPlan)?;
        let mut rows = Vec::new();
        self.each(stage.metadata_kind, |record| {
            rows.extend(rows_of(stage, &record, filters));
            true
        })
        .await?;
        Ok(rows)
    }
}

/// The routes in the record of a plan.
fn rows_of(stage: &Stage, record: &Object, filters: &Filters) -> Vec<RouteRow> {
    let plan = members::object(record, stage.payload);
    let rows = plan.map(|plan| route_rows(plan, members::text(record, "created_at"))).unwrap_or_default();
    rows.into_iter().filter(|row| filters.fit(&row.row)).collect()
}
