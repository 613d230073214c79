//! Every link of the guide leads to something that is there.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test says what is wrong by failing"
)]

use std::collections::HashSet;
use std::path::Path;

use cavra_guide::{FIRST, PAGES, Page, find};

/// The values of an attribute in HTML that was generated.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let opening = format!(" {attribute}=\"");
    html.match_indices(&opening).map(|(at, _)| html[at + opening.len()..].split('"').next().unwrap()).collect()
}

/// The path that a link of a page means, relative to `/guide/`.
fn resolved(from: &str, link: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        if part == ".." {
            assert!(parts.pop().is_some(), "{from} links out of the guide: {link}");
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

fn html_pages() -> impl Iterator<Item = &'static Page> {
    PAGES.iter().filter(|page| page.media_type.starts_with("text/html"))
}

#[test]
fn links_and_anchors_lead_somewhere() {
    let mut broken = Vec::new();
    let mut seen = 0;
    for page in html_pages() {
        for link in values(page.body, "href").into_iter().filter(|link| !link.contains("://")) {
            seen += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.path.to_owned() } else { resolved(page.path, path) };
            let there =
                find(&target).is_some_and(|target| anchor.is_empty() || values(target.body, "id").contains(&anchor));
            if !there {
                broken.push(format!("{}: {link}", page.path));
            }
        }
    }
    assert!(seen > 500, "{seen} links");
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn anchors_of_a_page_differ() {
    for page in html_pages() {
        let ids = values(page.body, "id");
        assert_eq!(ids.len(), ids.iter().collect::<HashSet<_>>().len(), "{}", page.path);
    }
}

#[test]
fn the_search_knows_every_page_and_leads_to_what_it_found() {
    let index: Vec<serde_json::Value> = serde_json::from_str(find("search.json").unwrap().body).unwrap();
    let mut pages = HashSet::new();
    for section in &index {
        let (path, anchor) = section["u"].as_str().unwrap().split_once('#').unwrap();
        let page = find(path).unwrap_or_else(|| panic!("{path}"));
        assert!(anchor.is_empty() || values(page.body, "id").contains(&anchor), "{path}#{anchor}");
        pages.insert(path);
    }
    assert_eq!(pages, html_pages().map(|page| page.path).collect());
}

#[test]
fn the_first_page_is_there_and_nothing_needs_another_site() {
    assert!(find(FIRST).is_some());
    for page in html_pages() {
        for loaded in values(page.body, "src") {
            assert!(!loaded.contains("://"), "{}: {loaded}", page.path);
        }
    }
}

#[test]
fn every_page_of_the_documentation_is_in_the_guide() {
    let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"));
    let mut missing = Vec::new();
    let mut folders = vec![docs.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(docs).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(stem) = name.strip_suffix(".md").filter(|stem| *stem != "SUMMARY")
                && find(&format!("docs/{stem}.html")).is_none()
            {
                missing.push(name);
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "docs/SUMMARY.md lacks them");
}
