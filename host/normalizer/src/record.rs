//! One record of an export as an observation.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::aliases::{BARE_VERSION, DEPLOYMENT_TARGET, ENDPOINT_ID, FACTS, Field, Form};
use crate::epoch::spelled_out;
use crate::path::{first, says_something, values};
use crate::reading::Context;
use crate::software::{Found, find};
use crate::target::{Meant, meant};
use crate::vendors::{Vendor, recognise};
use crate::warnings::Warnings;
use crate::{Object, UNKNOWN_TARGET};

/// A record, what it is recognised as, and what its vendor's places say.
struct Reading<'a> {
    record: &'a Object,
    /// Objects in which cavra's own tools write.
    nested: Vec<&'a Object>,
    vendor: Option<&'static Vendor>,
    found: Found,
}

/// The observation of the record with this number, which counts from 1.
pub fn observe(context: &Context, number: usize, record: &Object, warnings: &mut Warnings) -> Object {
    let tool = context.tool.name;
    let reading = Reading::of(record, context.form);
    let id = reading.value(&ENDPOINT_ID).map_or_else(|| format!("{tool}-endpoint-{number}"), as_text);
    let target = reading.target(&id, &context.target_map, warnings);
    let mut endpoint = Object::new();
    endpoint.insert(ENDPOINT_ID.output.to_owned(), Value::String(id));
    endpoint.insert(DEPLOYMENT_TARGET.output.to_owned(), Value::String(target));
    for field in &FACTS {
        if let Some(value) = reading.value(field) {
            endpoint.insert(field.output.to_owned(), written(field.form, value));
        }
    }
    endpoint.insert("provider".to_owned(), Value::from(tool));
    endpoint
}

impl<'a> Reading<'a> {
    fn of(record: &'a Object, form: Option<&'static Vendor>) -> Self {
        let object = |name: &str| record.get(name).and_then(Value::as_object).filter(|object| !object.is_empty());
        let nested = object("cavra").or_else(|| object("runtime")).into_iter().chain(object("columns")).collect();
        let vendor = form.or_else(|| recognise(record));
        let found = vendor.map(|vendor| find(record, vendor)).unwrap_or_default();
        Self { record, nested, vendor, found }
    }

    /// The value of a fact, by whatever names it first.
    fn value(&self, field: &Field) -> Option<&Value> {
        let Some(vendor) = self.vendor else { return self.named(field.names) };
        let in_nested = |name: &&str| self.nested.iter().find_map(|object| given(object, name));
        let own = || self.named(field.own).or_else(|| field.names.iter().find_map(in_nested));
        let listed = || match field.output {
            "installed_version" => self.found.versions.first(),
            "binary_sha256" => self.found.digests.first(),
            _ => None,
        };
        let at_paths = || vendor.paths(field.output).iter().find_map(|path| first(self.record, path));
        let generic =
            || field.names.iter().filter(|name| **name != BARE_VERSION).find_map(|name| given(self.record, name));
        own().or_else(at_paths).or_else(listed).or_else(generic)
    }

    /// The first of `names` that says something: in the record, else where cavra's own tools write.
    fn named(&self, names: &[&str]) -> Option<&Value> {
        let places = || std::iter::once(self.record).chain(self.nested.iter().copied());
        names.iter().find_map(|name| places().find_map(|place| given(place, name)))
    }

    fn target(&self, id: &str, map: &BTreeMap<String, String>, warnings: &mut Warnings) -> String {
        let mapped = |value: &Value| {
            let text = as_text(value);
            let tagged = crate::target::tail(&text, "cavra-target").map(ToOwned::to_owned);
            tagged.or_else(|| map.get(&text).cloned()).unwrap_or(text)
        };
        let own = self.vendor.and_then(|_| self.named(DEPLOYMENT_TARGET.own)).or_else(|| {
            let nested = |name: &&str| self.nested.iter().find_map(|object| given(object, name));
            self.vendor.and_then(|_| DEPLOYMENT_TARGET.names.iter().find_map(nested))
        });
        if let Some(value) = own {
            return mapped(value);
        }
        match self.by_vendor(map) {
            Meant::One(target) => return target,
            Meant::Several(targets) => {
                let several = || format!("endpoint {id} belongs to several deployment targets: {}", targets.join(", "));
                warnings.add("conflict", several);
                return UNKNOWN_TARGET.to_owned();
            }
            Meant::None => {}
        }
        if let Some(value) = self.named(DEPLOYMENT_TARGET.names) {
            return mapped(value);
        }
        warnings.add("target", || format!("endpoint {id} names no deployment target"));
        UNKNOWN_TARGET.to_owned()
    }

    /// What groups, tags, labels and attributes of the vendor's record mean.
    fn by_vendor(&self, map: &BTreeMap<String, String>) -> Meant {
        let Some(vendor) = self.vendor else { return Meant::None };
        let attributes = self.found.targets.iter().map(String::as_str);
        let named: Vec<String> = attributes
            .map(|text| {
                let id = crate::target::tail(text, "cavra-target").or_else(|| map.get(text).map(String::as_str));
                format!("cavra-target:{}", id.unwrap_or(text))
            })
            .collect();
        let tags = vendor.tags.iter().flat_map(|path| values(self.record, path)).filter_map(Value::as_str);
        let texts: Vec<&str> = named.iter().map(String::as_str).chain(tags).collect();
        meant(texts.iter().copied(), map)
    }
}

fn given<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| says_something(value))
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn written(form: Form, value: &Value) -> Value {
    match (form, value) {
        (Form::Text, value) => Value::String(as_text(value)),
        (Form::Time, value) => spelled_out(value),
        (Form::Managed, Value::Bool(managed)) => Value::from(if *managed { "managed" } else { "unmanaged" }),
        (Form::AsGiven | Form::Managed, value) => value.clone(),
    }
}
