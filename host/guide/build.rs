//! Renders the pages that `docs/SUMMARY.md` lists and writes `generated.rs` with them.

#[path = "build/page.rs"]
mod page;
#[path = "build/summary.rs"]
mod summary;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use page::{Rendered, render};
use summary::Entry;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let crate_folder = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let root = crate_folder.join("../..").canonicalize()?;

    let entries = summary::read(&text(&root.join("docs/SUMMARY.md"))?);
    let mut served = BTreeMap::new();
    let mut index = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.file.is_empty()) {
        let Rendered { title, html, sections } = render(&text(&root.join(&entry.file))?, &entry.file, &entries);
        index.extend(sections);
        served.insert(
            summary::address(&entry.file),
            ("text/html; charset=utf-8", in_frame(entry, &title, &html, &entries)),
        );
    }
    served.insert("search.json".to_owned(), ("application/json", serde_json::to_string(&index)?));
    for (asset, media_type) in
        [("guide.css", "text/css; charset=utf-8"), ("guide.js", "text/javascript; charset=utf-8")]
    {
        served.insert(asset.to_owned(), (media_type, text(&crate_folder.join("assets").join(asset))?));
    }
    fs::write(out.join("generated.rs"), code(&served, &out)?)?;
    Ok(())
}

/// A file's text. Cargo is asked to run this again when the file changes.
fn text(file: &Path) -> Result<String, String> {
    println!("cargo:rerun-if-changed={}", file.display());
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// The page around what was rendered: navigation, search, title.
fn in_frame(entry: &Entry, title: &str, html: &str, entries: &[Entry]) -> String {
    let up = "../".repeat(entry.file.matches('/').count());
    let mut navigation = String::new();
    for other in entries {
        let label = page::escaped(&other.label);
        if other.file.is_empty() {
            let _ = write!(navigation, "<h2>{label}</h2>");
            continue;
        }
        let here = if other.file == entry.file { " aria-current=\"page\"" } else { "" };
        let _ = write!(
            navigation,
            "<a class=\"level-{}\" href=\"{up}{}\"{here}>{label}</a>",
            other.level,
            summary::address(&other.file)
        );
    }
    let title = page::escaped(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · cavra</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"stylesheet\" href=\"{up}guide.css\">\
         <script src=\"{up}guide.js\" data-root=\"{up}\" defer></script></head><body>\
         <nav aria-label=\"Pages\"><form role=\"search\"><input id=\"search\" type=\"search\" placeholder=\"Search\" \
         aria-label=\"Search the guide\" autocomplete=\"off\"></form><ol id=\"found\" hidden></ol><div id=\"pages\">{navigation}</div></nav>\
         <main>{html}</main></body></html>"
    )
}

/// The table of what is served, sorted by path, each body in a file of its own.
fn code(served: &BTreeMap<String, (&str, String)>, out: &Path) -> Result<String, Box<dyn Error>> {
    let mut code = String::from("/// Everything that is served, sorted by path.\npub static PAGES: &[Page] = &[\n");
    for (at, (path, (media_type, body))) in served.iter().enumerate() {
        let file = out.join(format!("{at}.txt"));
        fs::write(&file, body)?;
        writeln!(code, "    Page {{ path: {path:?}, media_type: {media_type:?}, body: include_str!({file:?}) }},")?;
    }
    code.push_str("];\n");
    Ok(code)
}
