//! One record of an export as an observation.

use std::borrow::Cow;
use std::collections::BTreeMap;

use cavra_json::{Members, Node};

use crate::UNKNOWN_TARGET;
use crate::aliases::{BARE_VERSION, DEPLOYMENT_TARGET, ENDPOINT_ID, FACTS, Field, Form};
use crate::epoch::spelled_out;
use crate::path::{first, says_something, values};
use crate::reading::Context;
use crate::software::{Found, find};
use crate::target::{Meant, meant};
use crate::vendors::{Vendor, recognise};
use crate::warnings::Warnings;

/// A record, what it is recognised as, and what its vendor's places say.
struct Reading<'a> {
    record: &'a Members<'a>,
    /// Objects in which cavra's own tools write.
    nested: Vec<&'a Members<'a>>,
    vendor: Option<&'static Vendor>,
    found: Found<'a>,
}

/// A record as an observation.
pub struct Observed {
    /// The endpoint's id.
    pub id: String,
    /// The observation, as JSON.
    pub payload: String,
}

/// The observation of the record with this number, which counts from 1.
pub fn observe(context: &Context, number: usize, record: &Members<'_>, warnings: &mut Warnings) -> Observed {
    let tool = context.tool.name;
    let reading = Reading::of(record, context.form);
    let id = reading.value(&ENDPOINT_ID).map_or_else(|| format!("{tool}-endpoint-{number}").into(), as_text);
    let target = reading.target(&id, &context.target_map, warnings);
    let mut endpoint = Members::default();
    endpoint.insert(ENDPOINT_ID.output, Node::Text(id.clone()));
    endpoint.insert(DEPLOYMENT_TARGET.output, Node::Text(target));
    for field in &FACTS {
        if let Some(value) = reading.value(field) {
            endpoint.insert(field.output, written(field.form, value));
        }
    }
    endpoint.insert("provider", Node::Text(Cow::Borrowed(tool)));
    Observed { payload: endpoint.to_string(), id: id.into_owned() }
}

impl<'a> Reading<'a> {
    fn of(record: &'a Members<'a>, form: Option<&'static Vendor>) -> Self {
        let object = |name: &str| record.get(name).and_then(Node::as_object).filter(|object| !object.is_empty());
        let nested = object("cavra").or_else(|| object("runtime")).into_iter().chain(object("columns")).collect();
        let vendor = form.or_else(|| recognise(record));
        let found = vendor.map(|vendor| find(record, vendor)).unwrap_or_default();
        Self { record, nested, vendor, found }
    }

    /// The value of a fact, by whatever names it first.
    fn value(&self, field: &Field) -> Option<&Node<'a>> {
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
    fn named(&self, names: &[&str]) -> Option<&'a Node<'a>> {
        let places = || std::iter::once(self.record).chain(self.nested.iter().copied());
        names.iter().find_map(|name| places().find_map(|place| given(place, name)))
    }

    fn target(&self, id: &str, map: &BTreeMap<String, String>, warnings: &mut Warnings) -> Cow<'a, str> {
        let mapped = |value: &Node<'a>| {
            let text = as_text(value);
            let tagged = crate::target::tail(&text, "cavra-target").map(|id| Cow::Owned(id.to_owned()));
            tagged.or_else(|| map.get(text.as_ref()).cloned().map(Cow::Owned)).unwrap_or(text)
        };
        let own = self.vendor.and_then(|_| self.named(DEPLOYMENT_TARGET.own)).or_else(|| {
            let nested = |name: &&str| self.nested.iter().find_map(|object| given(object, name));
            self.vendor.and_then(|_| DEPLOYMENT_TARGET.names.iter().find_map(nested))
        });
        if let Some(value) = own {
            return mapped(value);
        }
        match self.by_vendor(map) {
            Meant::One(target) => return Cow::Owned(target),
            Meant::Several(targets) => {
                let several = || format!("endpoint {id} belongs to several deployment targets: {}", targets.join(", "));
                warnings.add("conflict", several);
                return Cow::Borrowed(UNKNOWN_TARGET);
            }
            Meant::None => {}
        }
        if let Some(value) = self.named(DEPLOYMENT_TARGET.names) {
            return mapped(value);
        }
        warnings.add("target", || format!("endpoint {id} names no deployment target"));
        Cow::Borrowed(UNKNOWN_TARGET)
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
        let tags = vendor.tags.iter().flat_map(|path| values(self.record, path)).filter_map(Node::as_str);
        let texts: Vec<&str> = named.iter().map(String::as_str).chain(tags).collect();
        meant(texts.iter().copied(), map)
    }
}

fn given<'a>(object: &'a Members<'a>, name: &str) -> Option<&'a Node<'a>> {
    object.get(name).filter(|value| says_something(value))
}

fn as_text<'a>(value: &Node<'a>) -> Cow<'a, str> {
    match value {
        Node::Text(text) => text.clone(),
        other => Cow::Owned(other.to_string()),
    }
}

fn written<'a>(form: Form, value: &Node<'a>) -> Node<'a> {
    match (form, value) {
        (Form::Text, value) => Node::Text(as_text(value)),
        (Form::Time, value) => spelled_out(value),
        (Form::Managed, Node::Bool(managed)) => {
            Node::Text(Cow::Borrowed(if *managed { "managed" } else { "unmanaged" }))
        }
        (Form::AsGiven | Form::Managed, value) => value.clone(),
    }
}
