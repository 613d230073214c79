//! When nobody is to be told: maintenance windows, and calendars of owners. All times are UTC.

use std::collections::BTreeMap;

use cavra_model::Timestamp;
use jiff::civil::{DateTime, Weekday};
use serde_json::{Value, json};

use crate::policy::{PolicyError, Section, lists};

/// What a route is, as far as windows can name it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits<'a> {
    /// Ids of plans that the route belongs to.
    pub plans: &'a [&'a str],
    /// Id of its subject.
    pub subject: &'a str,
    /// Its connector.
    pub provider: &'a str,
    /// Its owner.
    pub owner: &'a str,
}

/// A span of time, for what it names.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    id: String,
    start: Timestamp,
    end: Timestamp,
    reason: Option<String>,
    plans: Vec<String>,
    subjects: Vec<String>,
    providers: Vec<String>,
    owners: Vec<String>,
}

/// Windows, in the order of the policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Windows(Vec<Window>);

impl Windows {
    /// The windows in a member of a policy.
    pub(crate) fn read(policy: &Section<'_>, names: &[&str]) -> Result<Self, PolicyError> {
        let sections = policy.sections(names, "maintenance_windows")?;
        sections.iter().map(Window::read).collect::<Result<_, _>>().map(Self)
    }

    /// The first one that is active for a route.
    #[must_use]
    pub fn active(&self, route: Traits<'_>, now: Timestamp) -> Option<&Window> {
        self.0.iter().find(|window| window.is_active(now) && window.names(route))
    }
}

impl Window {
    fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        let time = |names: &[&str]| section.time(names)?.ok_or_else(|| section.wrong(names, "an RFC 3339 time"));
        let (start, end) = (time(&["start_at", "starts_at"])?, time(&["end_at", "ends_at"])?);
        if end < start {
            return Err(section.wrong(&["end_at"], "after start_at"));
        }
        Ok(Self {
            id: section.text(&["window_id", "id"])?.unwrap_or_else(|| "maintenance-window".to_owned()),
            start,
            end,
            reason: section.text(&["reason", "description"])?,
            plans: section.texts(&["plan_ids"])?,
            subjects: [section.texts(&["report_ids"])?, section.texts(&["schedule_ids"])?].concat(),
            providers: section.texts(&["providers"])?,
            owners: section.texts(&["owners"])?,
        })
    }

    fn is_active(&self, now: Timestamp) -> bool {
        self.start <= now && now <= self.end
    }

    fn names(&self, route: Traits<'_>) -> bool {
        let plan = self.plans.is_empty() || route.plans.iter().any(|plan| lists(&self.plans, plan));
        plan && lists(&self.subjects, route.subject)
            && lists(&self.providers, route.provider)
            && lists(&self.owners, route.owner)
    }

    /// As documents show it.
    #[must_use]
    pub fn document(&self) -> Value {
        json!({ "window_id": self.id, "start_at": self.start, "end_at": self.end, "reason": self.reason })
    }
}

/// When an owner works.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendar {
    owners: Vec<String>,
    available: bool,
    away: Vec<Window>,
    hours: Vec<Hours>,
}

/// Business hours of some days.
#[derive(Clone, Debug, PartialEq)]
struct Hours {
    days: Vec<Weekday>,
    start: u16,
    end: u16,
}

/// Calendars of owners.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendars {
    by_owner: BTreeMap<String, Calendar>,
    listed: Vec<Calendar>,
}

/// Whether an owner is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Availability {
    /// Whether.
    pub available: bool,
    /// Why.
    pub reason: String,
    /// The window in which the owner is away.
    pub window: Option<Value>,
}

impl Availability {
    /// As documents show it.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut document = json!({ "available": self.available, "reason": self.reason });
        if let (Some(window), Value::Object(members)) = (&self.window, &mut document) {
            members.insert("window".to_owned(), window.clone());
        }
        document
    }
}

impl Availability {
    /// The same without a window of its own: its ends stand beside the reason.
    #[must_use]
    pub fn flat_document(&self) -> Value {
        let mut document = json!({ "available": self.available, "reason": self.reason });
        if let (Some(window), Value::Object(members)) = (&self.window, &mut document) {
            for name in ["start_at", "end_at"] {
                members.insert(name.to_owned(), window.get(name).cloned().unwrap_or(Value::Null));
            }
        }
        document
    }
}

const AWAY: [&str; 3] = ["unavailable_windows", "out_of_office", "blackout_windows"];
const HOURS: [&str; 2] = ["business_hours", "availability_windows"];
/// First letters of the days' names.
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Calendars {
    /// The calendars in a member of a policy: by owner, or as a list.
    pub(crate) fn read(policy: &Section<'_>, names: &[&str]) -> Result<Self, PolicyError> {
        match policy.value(names) {
            Some(Value::Array(_)) => {
                let sections = policy.sections(names, "owner_calendars")?;
                let listed = sections.iter().map(Calendar::read).collect::<Result<_, _>>()?;
                Ok(Self { listed, ..Self::default() })
            }
            _ => {
                let owners = policy.section(names, "owner_calendars")?.named_sections("owner_calendars")?;
                let read = |(owner, section): (&str, Section<'_>)| Ok((owner.to_owned(), Calendar::read(&section)?));
                Ok(Self { by_owner: owners.into_iter().map(read).collect::<Result<_, _>>()?, ..Self::default() })
            }
        }
    }

    /// Whether an owner is there.
    #[must_use]
    pub fn availability(&self, owner: &str, now: Timestamp) -> Availability {
        let named = self.by_owner.get(owner).or_else(|| self.by_owner.get(&owner.to_lowercase()));
        let calendar = named.or_else(|| self.listed.iter().find(|calendar| lists(&calendar.owners, owner)));
        match calendar {
            Some(calendar) => calendar.availability(now),
            None => Availability { available: true, reason: "no calendar".to_owned(), window: None },
        }
    }
}

impl Calendar {
    fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        let away = AWAY.iter().map(|name| section.sections(&[name], "unavailable_windows"));
        let away: Vec<_> = away.collect::<Result<Vec<_>, _>>()?.concat();
        let hours = HOURS.iter().map(|name| section.sections(&[name], "business_hours"));
        let hours: Vec<_> = hours.collect::<Result<Vec<_>, _>>()?.concat();
        Ok(Self {
            owners: section.texts(&["owners"])?,
            available: section.flag(&["available"])?.unwrap_or(true),
            away: away.iter().map(Window::read).collect::<Result<_, _>>()?,
            hours: hours.iter().map(Hours::read).collect::<Result<_, _>>()?,
        })
    }

    fn availability(&self, now: Timestamp) -> Availability {
        let is = |available: bool, reason: &str, window: Option<Value>| Availability {
            available,
            reason: reason.to_owned(),
            window,
        };
        if !self.available {
            return is(false, "the owner is not available", None);
        }
        if let Some(window) = self.away.iter().find(|window| window.is_active(now)) {
            let reason = window.reason.clone().unwrap_or_else(|| "the owner is away".to_owned());
            return is(false, &reason, Some(window.document()));
        }
        if self.hours.is_empty() || self.hours.iter().any(|hours| hours.hold(now)) {
            is(true, "the owner is available", None)
        } else {
            is(false, "outside of the owner's business hours", None)
        }
    }
}

impl Hours {
    fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        let wrong = || section.wrong(&["days"], "names of days");
        let day = |name: String| {
            let head: String = name.chars().take(3).collect();
            DAYS.iter().find(|(known, _)| head.eq_ignore_ascii_case(known)).map(|(_, day)| *day).ok_or_else(wrong)
        };
        let days = section.texts(&["days", "weekdays"])?.into_iter().map(day).collect::<Result<_, _>>()?;
        let minute = |names: &[&str], default: u16| match section.text(names)? {
            None => Ok(default),
            Some(text) => minute_of_day(&text).ok_or_else(|| section.wrong(names, "a time of day as HH:MM")),
        };
        Ok(Self { days, start: minute(&["start", "start_time"], 0)?, end: minute(&["end", "end_time"], 1439)? })
    }

    /// Whether these hours hold. A shift over midnight belongs to the day on which it begins.
    fn hold(&self, now: Timestamp) -> bool {
        let Some(local) = civil(now) else { return false };
        let minute = minute_of(local);
        let on = |day: Weekday| self.days.is_empty() || self.days.contains(&day);
        if self.start <= self.end {
            return on(local.weekday()) && (self.start..=self.end).contains(&minute);
        }
        let since_yesterday = minute <= self.end && on(local.weekday().previous());
        since_yesterday || (minute >= self.start && on(local.weekday()))
    }
}

fn civil(now: Timestamp) -> Option<DateTime> {
    let moment = jiff::Timestamp::from_microsecond(now.as_micros()).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(moment))
}

fn minute_of(local: DateTime) -> u16 {
    u16::try_from(local.hour()).unwrap_or(0) * 60 + u16::try_from(local.minute()).unwrap_or(0)
}

fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let plain = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes): (u16, u16) =
        (plain(hours).then(|| hours.parse().ok())??, plain(minutes).then(|| minutes.parse().ok())??);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}
