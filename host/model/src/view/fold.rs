//! The folder: takes records, answers a view.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::condition::at;
use super::{Alerts, Level, Measure, Measured, OTHERS, SPREAD};
use crate::{Object, Timestamp, canonical};

/// Values of one member that [`Measure::Top`] counts for each that it shows. With more different ones, the rarest are not
/// counted exactly.
const COUNTED_FOR_EACH: usize = 20;

/// Folds records into the answers of a view.
#[derive(Debug)]
pub struct Folder {
    view: &'static [Measured],
    states: Vec<State>,
}

/// What a measure has to remember.
#[derive(Debug)]
enum State {
    Nothing,
    Number(u64),
    Signed(i128),
    Share(u64, u64),
    Values(BTreeSet<String>),
    Newest(Option<(Timestamp, String)>),
    Counts(BTreeMap<String, u64>),
    Groups(BTreeMap<String, Folder>),
    Latest(BTreeMap<String, (String, Object)>),
    Inner(Folder),
    Shown(Vec<Value>),
    Alerts { shown: Vec<Value>, worst: Level, records: u64 },
}

impl Folder {
    /// For a view, without any record yet.
    #[must_use]
    pub fn new(view: &'static [Measured]) -> Self {
        Self { view, states: view.iter().map(|row| State::of(&row.measure)).collect() }
    }

    /// Takes a record.
    pub fn add(&mut self, record: &Object) {
        for (row, state) in self.view.iter().zip(&mut self.states) {
            state.add(&row.measure, record);
        }
    }

    /// The answers.
    #[must_use]
    pub fn answer(self) -> Object {
        let mut answer = Object::new();
        for (row, state) in self.view.iter().zip(self.states) {
            match state.answer(&row.measure) {
                Value::Object(inner) if row.name == SPREAD => answer.extend(inner),
                value => drop(answer.insert(row.name.to_owned(), value)),
            }
        }
        answer
    }
}

impl State {
    fn of(measure: &Measure) -> Self {
        match measure {
            Measure::Constant(_) => Self::Nothing,
            Measure::Count | Measure::CountIf(_) => Self::Number(0),
            Measure::Elements(_) => Self::Number(0),
            Measure::Sum(_) | Measure::SumIf(..) => Self::Signed(0),
            Measure::Distinct { .. } => Self::Values(BTreeSet::new()),
            Measure::Newest(_) => Self::Newest(None),
            Measure::Ratio { .. } | Measure::Share { .. } => Self::Share(0, 0),
            Measure::CountBy { .. } | Measure::CountByOr { .. } | Measure::Top { .. } => Self::Counts(BTreeMap::new()),
            Measure::Group { .. } | Measure::Rows { .. } => Self::Groups(BTreeMap::new()),
            Measure::LatestBy { .. } => Self::Latest(BTreeMap::new()),
            Measure::Flatten { view, .. } | Measure::Where { view, .. } => Self::Inner(Folder::new(view)),
            Measure::First { .. } | Measure::Listed { .. } => Self::Shown(Vec::new()),
            Measure::Alerts(_) | Measure::Severities(_) | Measure::WorstOf(_) => {
                Self::Alerts { shown: Vec::new(), worst: Level::Healthy, records: 0 }
            }
        }
    }

    fn add(&mut self, measure: &Measure, record: &Object) {
        match (self, measure) {
            (Self::Number(count), Measure::Count) => *count += 1,
            (Self::Number(count), Measure::CountIf(condition)) => *count += u64::from(condition.holds(record)),
            (Self::Signed(sum), Measure::Sum(path)) => {
                *sum += i128::from(at(record, path).and_then(Value::as_i64).unwrap_or(0));
            }
            (Self::Signed(sum), Measure::SumIf(path, condition)) if condition.holds(record) => {
                *sum += i128::from(at(record, path).and_then(Value::as_i64).unwrap_or(0));
            }
            (Self::Number(count), Measure::Elements(path)) => {
                *count += at(record, path).and_then(Value::as_array).map_or(0, |list| list.len() as u64);
            }
            (Self::Values(known), Measure::Distinct { by, most }) => {
                for value in values(record, by) {
                    if known.len() < *most {
                        known.insert(value.into_owned());
                    }
                }
            }
            (Self::Newest(newest), Measure::Newest(path)) => {
                let text = at(record, path).and_then(Value::as_str);
                if let Some((text, time)) = text.and_then(|text| Some((text, text.parse().ok()?)))
                    && newest.as_ref().is_none_or(|(known, _)| *known < time)
                {
                    *newest = Some((time, text.to_owned()));
                }
            }
            (
                Self::Share(part, whole),
                Measure::Ratio { part: condition, of } | Measure::Share { part: condition, of },
            ) => {
                let counts = of.holds(record);
                *whole += u64::from(counts);
                *part += u64::from(counts && condition.holds(record));
            }
            (Self::Counts(counts), Measure::CountBy { by, most }) => {
                values(record, by).for_each(|value| *bounded(counts, &value, *most, || 0) += 1);
            }
            (Self::Counts(counts), Measure::CountByOr { by, without, most }) => {
                let mut values = values(record, by).peekable();
                if values.peek().is_none() {
                    *bounded(counts, without, *most, || 0) += 1;
                }
                values.for_each(|value| *bounded(counts, &value, *most, || 0) += 1);
            }
            (Self::Counts(counts), Measure::Top { by, most }) => {
                values(record, by).for_each(|value| count_top(counts, &value, most * COUNTED_FOR_EACH));
            }
            (Self::Groups(groups), Measure::Group { by, view, most } | Measure::Rows { by, view, most, .. }) => {
                for value in values(record, by) {
                    bounded(groups, &value, *most, || Folder::new(view)).add(record);
                }
            }
            (Self::Latest(latest), Measure::LatestBy { by, time, most, .. }) => {
                let time = at(record, time).and_then(Value::as_str).map(moment).unwrap_or_default();
                for value in values(record, by) {
                    let newer = latest.get(value.as_ref()).map(|known| known.0 < time);
                    if newer.unwrap_or(latest.len() < *most) {
                        latest.insert(value.into_owned(), (time.clone(), record.clone()));
                    }
                }
            }
            (Self::Inner(inner), Measure::Flatten { list, .. }) => {
                let elements = at(record, list).and_then(Value::as_array).into_iter().flatten();
                elements.filter_map(Value::as_object).for_each(|element| inner.add(element));
            }
            (Self::Inner(inner), Measure::Where { condition, .. }) if condition.holds(record) => inner.add(record),
            (Self::Shown(shown), Measure::First { most, members }) if shown.len() < *most => {
                shown.push(Value::Object(projected(record, members)));
            }
            (Self::Shown(shown), Measure::Listed { list, most }) => {
                let elements = at(record, list).and_then(Value::as_array).into_iter().flatten();
                shown.extend(elements.take(most.saturating_sub(shown.len())).cloned());
            }
            (Self::Alerts { shown, worst, records }, Measure::Alerts(alerts) | Measure::WorstOf(alerts)) => {
                *records += 1;
                add_alert(alerts, "level", record, shown, worst);
            }
            (Self::Alerts { shown, worst, records }, Measure::Severities(alerts)) => {
                *records += 1;
                add_alert(alerts, "severity", record, shown, worst);
            }
            _ => {}
        }
    }

    fn answer(self, measure: &Measure) -> Value {
        match (self, measure) {
            (_, Measure::Constant(text)) => json!(text),
            (Self::Number(count), _) => json!(count),
            (Self::Signed(sum), _) => json!(i64::try_from(sum).unwrap_or(i64::MAX)),
            (Self::Values(values), _) => json!(values.len()),
            (Self::Newest(newest), _) => json!(newest.map(|(_, text)| text)),
            (Self::Share(part, whole), Measure::Share { .. }) => json!(share(part, whole)),
            (Self::Share(part, whole), _) => json!(percent(part, whole)),
            (Self::Counts(counts), Measure::Top { most, .. }) => {
                let mut counts: Vec<_> = counts.into_iter().collect();
                counts.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
                counts.truncate(*most);
                counts.into_iter().map(|(value, count)| json!({ "value": value, "count": count })).collect()
            }
            (Self::Counts(counts), _) => json!(counts),
            (Self::Groups(groups), Measure::Rows { name, .. }) => groups
                .into_iter()
                .map(|(value, inner)| {
                    let mut row = Object::from_iter([((*name).to_owned(), json!(value))]);
                    row.extend(inner.answer());
                    Value::Object(row)
                })
                .collect(),
            (Self::Groups(groups), _) => {
                Value::Object(groups.into_iter().map(|(value, inner)| (value, Value::Object(inner.answer()))).collect())
            }
            (Self::Latest(latest), Measure::LatestBy { view, .. }) => {
                let mut inner = Folder::new(view);
                latest.values().for_each(|(_, record)| inner.add(record));
                Value::Object(inner.answer())
            }
            (Self::Inner(inner), _) => Value::Object(inner.answer()),
            (Self::Shown(shown), _) => json!(shown),
            (
                Self::Alerts { mut shown, mut worst, records },
                Measure::Alerts(alerts) | Measure::Severities(alerts) | Measure::WorstOf(alerts),
            ) => {
                if let (0, Some((level, message))) = (records, alerts.empty) {
                    worst = level;
                    shown.push(json!({ "level": level.as_str(), "message": message }));
                }
                if matches!(measure, Measure::WorstOf(_)) { json!(worst.as_str()) } else { json!(shown) }
            }
            _ => Value::Null,
        }
    }
}

fn add_alert(alerts: &Alerts, called: &str, record: &Object, shown: &mut Vec<Value>, worst: &mut Level) {
    let Some(alert) = alerts.rows.iter().find(|alert| alert.when.holds(record)) else { return };
    *worst = alert.level.max(*worst);
    if shown.len() < alerts.most {
        let mut entry = Object::from_iter([(called.to_owned(), json!(alert.level.as_str()))]);
        entry.extend(projected(record, alert.members));
        entry.insert("message".to_owned(), json!(filled(alert.message, record)));
        shown.push(Value::Object(entry));
    }
}

/// A time in the one form whose order is that of time; what is none as it is.
fn moment(text: &str) -> String {
    text.parse::<Timestamp>().map_or_else(|()| text.to_owned(), |time| time.to_string())
}

/// The values of a member: texts and truth values, or those of a list; of several members together, what they hold.
fn values<'a>(record: &'a Object, path: &str) -> impl Iterator<Item = Cow<'a, str>> {
    let joined = path.contains('+').then(|| {
        let parts: Vec<_> = path.split('+').map(|path| at(record, path).cloned().unwrap_or(Value::Null)).collect();
        Cow::Owned(canonical(&Value::Array(parts)))
    });
    joined.into_iter().chain(of_member(record, path).map(Cow::Borrowed))
}

fn of_member<'a>(record: &'a Object, path: &str) -> impl Iterator<Item = &'a str> {
    let (one, list) = match at(record, path) {
        Some(Value::Array(list)) => (None, Some(list)),
        Some(Value::Null) | None => (None, None),
        Some(value) => (Some(value), None),
    };
    one.into_iter().chain(list.into_iter().flatten()).filter_map(|value| match value {
        Value::String(text) => Some(text.as_str()),
        Value::Bool(true) => Some("true"),
        Value::Bool(false) => Some("false"),
        _ => None,
    })
}

/// The place of a value among at most `most`, or that of the others.
fn bounded<'a, T>(known: &'a mut BTreeMap<String, T>, value: &str, most: usize, new: impl FnOnce() -> T) -> &'a mut T {
    let has_place = known.contains_key(value) || known.len() < most;
    known.entry(if has_place { value } else { OTHERS }.to_owned()).or_insert_with(new)
}

/// Counts a value among at most `most`: where there is no place for it, it takes over that of the rarest one, with its count.
/// So a frequent value is never missing, and counted too high rather than too low.
fn count_top(counts: &mut BTreeMap<String, u64>, value: &str, most: usize) {
    if let Some(count) = counts.get_mut(value) {
        *count += 1;
        return;
    }
    let mut before = 0;
    if counts.len() >= most.max(1)
        && let Some((rarest, count)) =
            counts.iter().min_by_key(|(_, count)| **count).map(|(name, count)| (name.clone(), *count))
    {
        counts.remove(&rarest);
        before = count;
    }
    counts.insert(value.to_owned(), before + 1);
}

fn projected(record: &Object, members: &[(&str, &str)]) -> Object {
    members.iter().map(|(name, path)| ((*name).to_owned(), at(record, path).cloned().unwrap_or(Value::Null))).collect()
}

/// A message with the record's members in their places.
fn filled(message: &str, record: &Object) -> String {
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((path, behind)) = after.split_once('}') else { break };
        text.push_str(before);
        match at(record, path) {
            Some(Value::String(value)) => text.push_str(value),
            Some(Value::Null) | None => {}
            Some(value) => text.push_str(&value.to_string()),
        }
        rest = behind;
    }
    text + rest
}

/// Share from 0 to 1 with four digits; 0 of nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    let rounded = (u128::from(part) * 10_000 + u128::from(whole) / 2) / u128::from(whole);
    f64::from(u32::try_from(rounded).unwrap_or(10_000)) / 10_000.0
}

/// Share in percent with two digits; 0 of nothing.
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    f64::from(u32::try_from(hundredths).unwrap_or(10_000)) / 100.0
}
