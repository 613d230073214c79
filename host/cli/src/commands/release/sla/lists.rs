//! Histories and dashboards, as JSON.

use std::process::ExitCode;

use cavra_core::{
    Board, History, PageRequest, SLA_ACTIONS, SLA_ACTIONS_BOARD, SLA_ALERTS, SLA_ALERTS_BOARD, SLA_ESCALATIONS,
    SLA_ESCALATIONS_BOARD, SLA_NOTIFICATIONS, SLA_NOTIFICATIONS_BOARD, SLA_RECURRENCES, SLA_RECURRENCES_BOARD,
    SLA_REPORTS, SLA_REPORTS_BOARD, SLA_RUNS, SLA_RUNS_BOARD,
};

use super::desk::Desk;
use crate::args::{SlaCommand, SlaListArgs, SlaNoticeFilters, SlaPageArgs};
use crate::output::print_json;

/// Prints a list or a dashboard.
pub fn run(command: SlaCommand) -> anyhow::Result<ExitCode> {
    use SlaCommand as C;
    let some = |value: &Option<String>| value.clone();
    match command {
        C::EndpointRemediationSlaHistory(args) => {
            let filters = [("alert_level", some(&args.alert_level)), ("min_breached", some(&args.min_breached))];
            list(&args.store, &SLA_REPORTS, &args.page, filters)
        }
        C::EndpointRemediationSlaNotificationHistory(args) => {
            let own = ("report_id", some(&args.report_id));
            list(&args.store, &SLA_NOTIFICATIONS, &args.filters.page, notices(own, &args.filters))
        }
        C::EndpointRemediationSlaEscalationRecurrenceAutomationHealthAlertHistory(args) => {
            let own = ("health_id", some(&args.health_id));
            list(&args.store, &SLA_ALERTS, &args.filters.page, notices(own, &args.filters))
        }
        C::EndpointRemediationSlaEscalationHistory(args) => {
            let filters = [
                ("owner", some(&args.owner)),
                ("provider", some(&args.provider)),
                ("alert_level", some(&args.alert_level)),
                ("active_only", flag(args.active_only, args.no_active_only)),
            ];
            list(&args.store, &SLA_ESCALATIONS, &args.page, filters)
        }
        C::EndpointRemediationSlaEscalationActionHistory(args) => {
            let filters = [
                ("plan_id", some(&args.plan_id)),
                ("owner", some(&args.owner)),
                ("provider", some(&args.provider)),
                ("metadata_kind", some(&args.metadata_kind)),
                ("review_state", some(&args.review_state)),
            ];
            list(&args.store, &SLA_ACTIONS, &args.page, filters)
        }
        C::EndpointRemediationSlaEscalationRecurrenceHistory(args) => {
            let filters = [
                ("plan_id", some(&args.plan_id)),
                ("owner", some(&args.owner)),
                ("provider", some(&args.provider)),
                ("action", some(&args.action)),
            ];
            list(&args.store, &SLA_RECURRENCES, &args.page, filters)
        }
        C::EndpointRemediationSlaEscalationRecurrenceAutomationHistory(args) => {
            let filters = [("dry_run", flag(args.dry_run, args.no_dry_run))];
            list(&args.store, &SLA_RUNS, &args.page, filters)
        }
        C::EndpointRemediationSlaDashboard(store) => board(&store, &SLA_REPORTS_BOARD),
        C::EndpointRemediationSlaNotificationDashboard(store) => board(&store, &SLA_NOTIFICATIONS_BOARD),
        C::EndpointRemediationSlaEscalationDashboard(store) => board(&store, &SLA_ESCALATIONS_BOARD),
        C::EndpointRemediationSlaEscalationActionDashboard(store) => board(&store, &SLA_ACTIONS_BOARD),
        C::EndpointRemediationSlaEscalationRecurrenceDashboard(store) => board(&store, &SLA_RECURRENCES_BOARD),
        C::EndpointRemediationSlaEscalationRecurrenceAutomationDashboard(store) => board(&store, &SLA_RUNS_BOARD),
        C::EndpointRemediationSlaEscalationRecurrenceAutomationHealthAlertDashboard(store) => {
            board(&store, &SLA_ALERTS_BOARD)
        }
        _ => anyhow::bail!("this is no list"),
    }
}

type Filter = (&'static str, Option<String>);

fn notices(own: Filter, filters: &SlaNoticeFilters) -> [Filter; 5] {
    [
        own,
        ("provider", filters.provider.clone()),
        ("metadata_kind", filters.metadata_kind.clone()),
        ("acknowledgement_state", filters.acknowledgement_state.clone()),
        ("suppressed", flag(filters.suppressed, filters.no_suppressed)),
    ]
}

fn flag(yes: bool, no: bool) -> Option<String> {
    (yes || no).then(|| yes.to_string())
}

fn list(
    store: &SlaListArgs,
    history: &'static History,
    page: &SlaPageArgs,
    filters: impl IntoIterator<Item = Filter>,
) -> anyhow::Result<ExitCode> {
    let given = filters.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let page = PageRequest { parameters: given.collect(), limit: Some(page.limit), offset: Some(page.offset) };
    print_json(&Desk::reading(store, None)?.history(history, &page)?)?;
    Ok(ExitCode::SUCCESS)
}

fn board(store: &SlaListArgs, board: &'static Board) -> anyhow::Result<ExitCode> {
    print_json(&Desk::reading(store, None)?.board(board)?)?;
    Ok(ExitCode::SUCCESS)
}
