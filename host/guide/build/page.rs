//! One page: Markdown to HTML, with anchors at its headings, links between pages, and its sections for the search.

use std::collections::HashMap;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use serde_json::{Value, json};

use crate::summary::{Entry, address, beside};

/// A page that was rendered.
pub struct Rendered {
    /// Its first heading.
    pub title: String,
    /// Its content.
    pub html: String,
    /// What is found in it: address, page, heading and text of each section.
    pub sections: Vec<Value>,
}

/// A section that the search finds.
#[derive(Default)]
struct Section {
    anchor: String,
    heading: String,
    text: String,
}

/// Renders the Markdown of `file`. Links to other pages of the guide go there; links to what is no page are shown as text.
pub fn render(markdown: &str, file: &str, entries: &[Entry]) -> Rendered {
    let mut events: Vec<Event<'_>> =
        Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).collect();
    let sections = anchored(&mut events);
    let mut out = String::new();
    html::push_html(&mut out, linked(events, file, entries).into_iter());

    let title = sections.iter().map(|section| section.heading.clone()).find(|heading| !heading.is_empty());
    let title = title.unwrap_or_else(|| file.to_owned());
    let found = sections.iter().filter(|section| !section.heading.is_empty() || !section.text.is_empty());
    let page = address(file);
    let sections = found
        .map(|section| json!({"u": format!("{page}#{}", section.anchor), "p": title, "h": section.heading, "t": section.text}))
        .collect();
    Rendered { title, html: out, sections }
}

/// Gives every heading the anchor that code hosts give it, and answers the sections between the headings.
fn anchored(events: &mut [Event<'_>]) -> Vec<Section> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut sections = vec![Section::default()];
    let mut heading_at = None;
    for at in 0..events.len() {
        let Some(event) = events.get(at) else { continue };
        match event {
            Event::Start(Tag::Heading { .. }) => {
                heading_at = Some(at);
                sections.push(Section::default());
            }
            Event::End(TagEnd::Heading(_)) => {
                let Some(section) = sections.last_mut() else { continue };
                section.anchor = unique(slug(&section.heading), &mut seen);
                let anchor = section.anchor.clone();
                if let Some(Event::Start(Tag::Heading { id, .. })) =
                    heading_at.take().and_then(|start| events.get_mut(start))
                {
                    *id = Some(CowStr::from(anchor));
                }
            }
            Event::Text(text) | Event::Code(text) => {
                let Some(section) = sections.last_mut() else { continue };
                if heading_at.is_some() {
                    section.heading.push_str(text);
                } else {
                    section.text.push_str(text);
                }
            }
            // Words of neighbouring blocks and cells are words of their own.
            Event::SoftBreak
            | Event::HardBreak
            | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::TableCell | TagEnd::CodeBlock) => {
                if let Some(section) = sections.last_mut() {
                    section.text.push(' ');
                }
            }
            _ => {}
        }
    }
    sections
}

/// The anchor of a heading: small letters and digits, blanks as hyphens, everything else left out.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

fn unique(slug: String, seen: &mut HashMap<String, usize>) -> String {
    let times = seen.entry(slug.clone()).or_default();
    *times += 1;
    if *times == 1 { slug } else { format!("{slug}-{}", *times - 1) }
}

/// A link to a page of the guide leads to where that is served; one to another file of the repository is shown as text.
/// HTML in the text is shown, not used.
fn linked<'a>(events: Vec<Event<'a>>, file: &str, entries: &[Entry]) -> Vec<Event<'a>> {
    let mut plain = false;
    let mut linked = Vec::with_capacity(events.len());
    for event in events {
        match event {
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => match target(&dest_url, file, entries) {
                Some(target) => linked.push(Event::Start(Tag::Link { link_type, dest_url: target.into(), title, id })),
                None => plain = true,
            },
            Event::End(TagEnd::Link) if plain => plain = false,
            Event::Html(text) | Event::InlineHtml(text) => linked.push(Event::Text(text)),
            other => linked.push(other),
        }
    }
    linked
}

/// Where a link of `file` leads, if to another place of the guide or to another site.
fn target(link: &str, file: &str, entries: &[Entry]) -> Option<String> {
    if link.contains("://") || link.starts_with('#') {
        return Some(link.to_owned());
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let meant = beside(file, path);
    if !entries.iter().any(|entry| entry.file == meant) {
        return None;
    }
    let up = "../".repeat(file.matches('/').count());
    let anchor = anchor.map_or_else(String::new, |anchor| format!("#{anchor}"));
    Some(format!("{up}{}{anchor}", address(&meant)))
}

/// The text as it stands in HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
