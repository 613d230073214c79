//! `docs/SUMMARY.md`, in the form that mdBook reads: which pages there are, in which order, under which headings.

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

/// A line of the navigation: a page, or a heading above pages.
pub struct Entry {
    /// What the reader sees.
    pub label: String,
    /// The page's file, relative to the repository; empty for a heading.
    pub file: String,
    /// How deeply it is nested, from 1.
    pub level: usize,
}

/// The lines of the navigation. The title of the summary itself is none.
pub fn read(summary: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let (mut label, mut file, mut level) = (String::new(), String::new(), 0);
    for event in Parser::new(summary) {
        match event {
            Event::Start(Tag::List(_)) => level += 1,
            Event::End(TagEnd::List(_)) => level -= 1,
            Event::Start(Tag::Link { dest_url, .. }) => {
                label.clear();
                file = beside("docs/SUMMARY.md", &dest_url);
            }
            Event::Start(Tag::Heading { .. }) => label.clear(),
            Event::Text(text) | Event::Code(text) => label.push_str(&text),
            Event::End(TagEnd::Link) => {
                entries.push(Entry { label: label.clone(), file: std::mem::take(&mut file), level: level.max(1) });
            }
            Event::End(TagEnd::Heading(heading)) if heading != HeadingLevel::H1 => {
                entries.push(Entry { label: label.clone(), file: String::new(), level: 1 });
            }
            _ => {}
        }
    }
    entries
}

/// Where a page is served, relative to `/guide/`.
pub fn address(file: &str) -> String {
    file.strip_suffix(".md").map_or_else(|| file.to_owned(), |stem| format!("{stem}.html"))
}

/// The file that a link means in the page `from`: both are relative to the repository.
pub fn beside(from: &str, link: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
