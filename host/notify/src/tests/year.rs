//! A year of a fleet, by a clock of the test's own: work becomes late, people are told, answer or do not, connectors fail, owners
//! are away. What must hold is checked at every hour, by rules that are written down here a second time.

use std::collections::{BTreeMap, BTreeSet};

use cavra_model::Object;
use cavra_model::members::{self, built};
use serde_json::{Value, json};

use super::*;

const HOUR: i64 = 60;
/// Minutes between two notices, as the routing policy says.
const WINDOW: i64 = 240;
/// Minutes between two recurrences, and how many there are at most.
const INTERVAL: i64 = 360;
const MOST: usize = 3;
/// Service levels, in minutes.
const ANSWER: i64 = 120;
const RESOLVE: i64 = 1440;
/// Days after which nothing is kept of what is done.
const KEPT: i64 = 14;
const OWNERS: [&str; 3] = ["ann", "bob", "night"];
const PROVIDERS: [&str; 2] = ["jira", "slack"];

/// Numbers that are the same in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }
}

struct Year {
    chance: Chance,
    minute: i64,
    facts: Facts,
    /// Subjects that are open, each with its owner.
    open: BTreeMap<String, &'static str>,
    /// When each of those was done that are kept.
    done: BTreeMap<String, i64>,
    /// When notices and recurrences reached somebody.
    noticed: BTreeMap<(String, String), Vec<i64>>,
    told: BTreeMap<String, Vec<i64>>,
    records: usize,
    most_facts: usize,
    counts: BTreeMap<String, usize>,
}

impl Year {
    fn now(&self) -> Timestamp {
        at(self.minute)
    }

    fn add(&mut self, record: &Object) {
        self.facts.add(&FAMILY, record);
        self.records += 1;
    }

    /// A connector is down for two days in a month.
    fn is_down(&self, provider: &str) -> bool {
        let day = self.minute / (24 * HOUR);
        day % 30 == if provider == "jira" { 11 } else { 23 } || day % 30 == 12 && provider == "jira"
    }

    fn deliver(&mut self, source: &str, event: &str, providers: &[&str], route_keys: &[String]) -> Vec<String> {
        let failed: Vec<&str> = providers.iter().copied().filter(|name| self.is_down(name)).collect();
        let record = built(json!({
            "session_id": format!("rcd-{}", self.records), "created_at": self.now(), "event_id": event,
            "metadata_kind": "release-connector-delivery", "connector_delivery_source": source,
            "providers": providers, "failed_providers": failed, "delivery_success": failed.is_empty(),
            "route_keys": route_keys,
        }));
        self.add(&record);
        providers.iter().filter(|name| !failed.contains(name)).map(|name| (*name).to_owned()).collect()
    }

    /// Tells people about a subject, as somebody does who asks whether they have to be told.
    fn notify(&mut self, id: &str, owner: &str) {
        let policy = json!({"rules": [{"providers": PROVIDERS, "owner": owner}], "suppression_window_minutes": WINDOW});
        let policy = RoutingPolicy::read(Some(&policy), &[("channels", &["channels"])], &["min_breached"]).unwrap();
        let enabled = PROVIDERS.map(str::to_owned);
        let asked = Request { enabled: &enabled, provider: "all", ..Request::default() };
        let subject = Subject {
            id: id.to_owned(),
            id_member: "report_id",
            alert_level: "critical".to_owned(),
            ..Subject::default()
        };
        let planning = planning(StageKind::NotificationPlan, &self.facts, self.now());
        let (plan, possible) = notification_plan(planning, FAMILY.sources.notification, &subject, &policy, &asked);
        assert!(possible);
        let selected: Vec<&str> = members::texts(&plan.content, "selected_providers");
        let suppressed: BTreeSet<&str> = members::objects(&plan.content, "suppressed_providers")
            .into_iter()
            .map(|one| members::text(one, "provider"))
            .collect();
        assert!(selected.iter().all(|name| !suppressed.contains(name)), "told and not told: {plan:?}");
        let record = stage(StageKind::NotificationPlan).record(&plan, &self.now().to_string(), "console");
        let reached = if selected.is_empty() {
            Vec::new()
        } else {
            self.deliver(FAMILY.sources.notification, id, &selected, &[])
        };
        self.add(&record);
        for provider in reached {
            let key = (id.to_owned(), provider);
            let times = self.noticed.entry(key).or_default();
            assert!(
                times.last().is_none_or(|last| self.minute - last > WINDOW),
                "told twice in a window: {id} {times:?}"
            );
            times.push(self.minute);
        }
        self.count("notices");
    }

    /// People answer, or do not.
    fn answer(&mut self) {
        for route in routes(&self.facts) {
            let state = match (route.is_resolved(), route.is_acknowledged()) {
                (true, _) => continue,
                (false, true) if self.chance.once_in(30) => "resolved",
                (false, false) if self.chance.once_in(40) => "acknowledged",
                (false, false) if self.chance.once_in(200) => "dismissed",
                _ => continue,
            };
            let reply = Reply {
                subject_member: "report_id",
                subject: &route.subject,
                plan_id: None,
                provider: &route.provider,
                owner: "",
                state: Some(state),
                by: &route.owner,
                external_ref: None,
                notes: None,
            };
            let answer = acknowledgement(stage(StageKind::Acknowledgement), &reply, &[], self.now()).unwrap();
            let record = stage(StageKind::Acknowledgement).record(&answer, &self.now().to_string(), &route.owner);
            self.add(&record);
            self.count(state);
        }
    }

    /// Tells the owners of late routes again, and checks what is decided about each.
    fn recur(&mut self) {
        let states = routes(&self.facts);
        let slo = json!({"default_slo": {"acknowledgement_minutes": ANSWER, "resolution_minutes": RESOLVE}});
        let slo = SloPolicy::read(Some(&slo)).unwrap();
        let escalation =
            escalation_plan(&FAMILY, stage(StageKind::EscalationPlan), "report_id", &states, &slo, "w", self.now());
        let policy = RecurrencePolicy::read(Some(&recurrence_policy())).unwrap();
        let planning = planning(StageKind::RecurrencePlan, &self.facts, self.now());
        let plan = recurrence_plan(planning, Some(&escalation.content), &states, &policy);
        let decisions: Vec<Object> = members::objects(&plan.content, "route_decisions").into_iter().cloned().collect();
        let of = |state: &RouteState| FAMILY.route_key(&state.subject, &state.provider, &state.owner);
        let late: BTreeMap<String, &RouteState> =
            states.iter().filter(|state| self.is_late(state)).map(|state| (of(state), state)).collect();
        let decided: BTreeMap<&str, &Object> =
            decisions.iter().map(|decision| (members::text(decision, "route_key"), decision)).collect();
        assert_eq!(decided.len(), decisions.len(), "a route is decided about twice");
        assert!(decided.keys().copied().eq(late.keys().map(String::as_str)), "somebody late is forgotten, or on time");
        let mut due: Vec<(String, String)> = Vec::new();
        for (key, state) in &late {
            let decision = decided[key.as_str()];
            let expected = self.expected(key, state);
            assert_eq!(members::text(decision, "category"), expected, "{} {decision:?}", self.now());
            if expected == "deliver" {
                due.push((key.clone(), state.provider.clone()));
            }
        }
        for provider in PROVIDERS {
            let keys: Vec<String> = due.iter().filter(|(_, own)| own == provider).map(|(key, _)| key.clone()).collect();
            if keys.is_empty() {
                continue;
            }
            let reached = self.deliver(FAMILY.sources.recurrence, &plan.id, &[provider], &keys);
            for key in keys {
                // An attempt that fails is one all the same: the next one waits for the interval.
                self.told.entry(key).or_default().push(if reached.is_empty() { -self.minute } else { self.minute });
                self.count("recurrences");
            }
        }
    }

    /// Whether a route is late, by its service levels.
    fn is_late(&self, state: &RouteState) -> bool {
        let since = |moment: Timestamp| (self.now().as_micros() - moment.as_micros()) / 60_000_000;
        !state.is_resolved()
            && (since(state.resolution_since) > RESOLVE
                || (!state.is_acknowledged() && since(state.acknowledgement_since) > ANSWER))
    }

    /// What has to be decided about a late route, by the rules of `docs/notifications.md`.
    fn expected(&self, key: &str, state: &RouteState) -> &'static str {
        let begun = (state.resolution_since.as_micros() - at(0).as_micros()) / 60_000_000;
        let told = self.told.get(key).map(Vec::as_slice).unwrap_or_default();
        let (attempts, reached): (Vec<i64>, usize) = (
            told.iter().map(|minute| minute.abs()).filter(|minute| *minute >= begun).collect(),
            told.iter().filter(|minute| **minute >= begun && **minute > 0).count(),
        );
        if in_maintenance(self.minute) {
            "maintenance_window"
        } else if !is_available(&state.owner, self.minute) {
            "owner_calendar"
        } else if reached >= MOST {
            "maximum_recurrence"
        } else if attempts.last().is_some_and(|last| self.minute < last + INTERVAL) {
            "recurrence_interval_wait"
        } else {
            "deliver"
        }
    }

    /// What is done for long is forgotten, as retention does it; nothing that is open changes by that.
    fn forget(&mut self) {
        let before = routes(&self.facts);
        let (now, resolved) = (self.minute, before.iter().filter(|state| state.is_resolved()));
        let mut left: BTreeMap<&str, usize> = resolved.fold(BTreeMap::new(), |mut left, state| {
            *left.entry(state.subject.as_str()).or_default() += 1;
            left
        });
        left.retain(|_, routes| *routes == PROVIDERS.len());
        for subject in left.into_keys() {
            if self.open.remove(subject).is_some() {
                self.done.insert(subject.to_owned(), now);
            }
        }
        let gone: BTreeSet<String> =
            self.done.iter().filter(|(_, at)| now - **at > KEPT * 24 * HOUR).map(|(id, _)| id.clone()).collect();
        let keys: BTreeSet<String> = before
            .iter()
            .filter(|state| gone.contains(&state.subject))
            .map(|state| FAMILY.route_key(&state.subject, &state.provider, &state.owner))
            .collect();
        let facts = &mut self.facts;
        facts.notices.retain(|notice| !gone.contains(&notice.subject));
        facts.answers.retain(|answer| !gone.contains(&answer.subject));
        facts.deliveries.retain_mut(|delivery| {
            delivery.route_keys.retain(|key| !keys.contains(key));
            let of_routes = delivery.source == FAMILY.sources.recurrence;
            if of_routes { !delivery.route_keys.is_empty() } else { !gone.contains(&delivery.event_id) }
        });
        self.done.retain(|id, _| !gone.contains(id));
        self.noticed.retain(|(subject, _), _| !gone.contains(subject));
        self.told.retain(|key, _| !keys.contains(key));
        let after: Vec<RouteState> = before.into_iter().filter(|state| !gone.contains(&state.subject)).collect();
        assert_eq!(routes(&self.facts), after, "forgetting what is done changed what is open");
        let kept = facts_of(&self.facts);
        self.most_facts = self.most_facts.max(kept);
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }
}

fn facts_of(facts: &Facts) -> usize {
    facts.notices.len() + facts.answers.len() + facts.deliveries.len()
}

/// Ann works by day, the night shift by night, and Bob always; on Sundays nobody is told because of maintenance from two to
/// four.
fn recurrence_policy() -> Value {
    let sundays: Vec<Value> = (0..53)
        .map(|week| {
            // The first day is a Wednesday, at noon.
            let start = ((week * 7 + 3) * 24 + 14) * HOUR;
            json!({"id": format!("w{week}"), "start_at": at(start), "end_at": at(start + 2 * HOUR)})
        })
        .collect();
    json!({
        "recurrence_interval_minutes": INTERVAL, "max_recurrences_per_route": MOST, "maintenance_windows": sundays,
        "owner_calendars": {
            "ann": {"business_hours": [{"days": ["mon", "tue", "wed", "thu", "fri"], "start": "08:00", "end": "17:00"}]},
            "night": {"business_hours": [{"start": "22:00", "end": "05:00"}]},
        },
    })
}

/// The hour of the day and the day of the week, Monday being 0.
fn clock(minute: i64) -> (i64, i64) {
    let hours = minute / HOUR + 12;
    (hours % 24, (hours / 24 + 2) % 7)
}

fn in_maintenance(minute: i64) -> bool {
    let (hour, day) = clock(minute);
    // Both ends are in it; the clock of the test only shows whole hours.
    day == 6 && (2..=4).contains(&hour)
}

fn is_available(owner: &str, minute: i64) -> bool {
    let (hour, day) = clock(minute);
    match owner {
        "ann" => day < 5 && (8..=17).contains(&hour),
        "night" => hour >= 22 || hour <= 5,
        _ => true,
    }
}

#[test]
fn a_year_of_a_fleet() {
    let mut year = Year {
        chance: Chance(0x9e37_79b9_7f4a_7c15),
        minute: 0,
        facts: Facts::default(),
        open: BTreeMap::new(),
        done: BTreeMap::new(),
        noticed: BTreeMap::new(),
        told: BTreeMap::new(),
        records: 0,
        most_facts: 0,
        counts: BTreeMap::new(),
    };
    let mut subjects = 0;
    for hour in 0..365 * 24 {
        year.minute = hour * HOUR;
        if year.chance.once_in(36) {
            let owner = OWNERS[subjects % OWNERS.len()];
            year.open.insert(format!("r{subjects}"), owner);
            subjects += 1;
        }
        let open: Vec<(String, &str)> = year.open.iter().map(|(id, owner)| (id.clone(), *owner)).collect();
        for (id, owner) in open {
            let is_known = year.facts.notices.iter().any(|notice| notice.subject == id);
            if !is_known || year.chance.once_in(48) {
                year.notify(&id, owner);
            }
        }
        year.facts.sort();
        year.answer();
        year.facts.sort();
        year.recur();
        year.facts.sort();
        if hour % 24 == 0 {
            year.forget();
        }
    }
    // It was a year in which everything happened, and what it left behind is bounded.
    assert!(subjects > 150, "{subjects}");
    for what in ["notices", "acknowledged", "resolved", "dismissed", "recurrences"] {
        assert!(year.counts.get(what).is_some_and(|count| *count > 50), "{what}: {:?}", year.counts);
    }
    assert!(year.records > 2_000 && year.most_facts < year.records / 3, "{} of {}", year.most_facts, year.records);
}

/// Calendars are by UTC: when clocks change, their hours do not. Moments that are written with an offset are what they say.
#[test]
fn clocks_that_change_move_no_hours() {
    let hours = json!({"owner_calendars": {"ann": {"business_hours": [{"start": "08:00", "end": "17:00"}]}}});
    let away = |start: &str, end: &str| json!({"owner_calendars": {"ann": {"out_of_office": [{"start_at": start, "end_at": end}]}}});
    let available = |policy: &Value, moment: &str| {
        let calendars = RecurrencePolicy::read(Some(policy)).unwrap().calendars;
        calendars.availability("ann", moment.parse().unwrap()).available
    };
    // The days before and after clocks change in Europe and in America.
    for day in ["2031-03-29", "2031-03-30", "2031-03-31", "2031-10-26", "2031-10-27", "2031-03-09", "2031-11-02"] {
        for (time, is_there) in [("07:59", false), ("08:00", true), ("17:00", true), ("17:01", false)] {
            assert_eq!(available(&hours, &format!("{day}T{time}:00Z")), is_there, "{day} {time}");
        }
    }
    // In Berlin 01:30 to 03:30 is one hour in spring, and 02:30 to 02:30 is one in autumn.
    for (start, end, from, to) in [
        ("2031-03-30T01:30:00+01:00", "2031-03-30T03:30:00+02:00", "00:30", "01:30"),
        ("2031-10-26T02:30:00+02:00", "2031-10-26T02:30:00+01:00", "00:30", "01:30"),
    ] {
        let (policy, day) = (away(start, end), start.split('T').next().unwrap());
        let before = |time: &str| {
            let moment: Timestamp = format!("{day}T{time}:00Z").parse().unwrap();
            Timestamp::from_micros(moment.as_micros() - 60_000_000).to_string()
        };
        assert!(available(&policy, &before(from)), "{start}");
        assert!(!available(&policy, &format!("{day}T{from}:00Z")), "{start}");
        assert!(!available(&policy, &before(to)), "{start}");
    }
}
