//! The documentation as web pages: what `docs/SUMMARY.md` lists, rendered when the binary is built, so that `/guide`
//! needs neither a network nor a file.

/// One thing that is served below `/guide/`.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Where it is served, relative to `/guide/`, such as `docs/access.html`.
    pub path: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// What is served.
    pub body: &'static str,
}

/// The page that a reader meets first.
pub const FIRST: &str = "README.html";

/// The page, style, script or search index at that path, relative to `/guide/`.
#[must_use]
pub fn find(path: &str) -> Option<&'static Page> {
    PAGES.binary_search_by(|page| page.path.cmp(path)).ok().and_then(|at| PAGES.get(at))
}

include!(concat!(env!("OUT_DIR"), "/generated.rs"));
