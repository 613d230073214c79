//! The page about access: its examples are files that work, and it names every key that there is.

use std::fs;
use std::path::{Path, PathBuf};

use cavra_core::read_routing;
use cavra_identity::Gatekeeper;

use crate::support::repository;

fn page() -> String {
    fs::read_to_string(repository().join("docs/access.md")).unwrap()
}

/// The example of that title, as a file with a line more.
fn example(page: &str, home: &Path, title: &str, more: &str) -> PathBuf {
    let (_, rest) = page.split_once(&format!("```yaml title={title}\n")).unwrap_or_else(|| panic!("no {title}"));
    let file = home.join(title);
    fs::write(&file, format!("{}{more}\n", rest.split_once("```").unwrap().0)).unwrap();
    file
}

#[test]
fn the_examples_work() {
    let (page, home) = (page(), tempfile::tempdir().unwrap());
    let file = |title: &str| example(&page, home.path(), title, "");
    let gatekeeper = Gatekeeper::load(Some(&file("oidc.yaml")), Some(&file("rbac.yaml"))).unwrap();
    assert!(gatekeeper.oidc_configured() && gatekeeper.rbac_configured() && !gatekeeper.admits_anonymous_mutations());
    let routing = read_routing(&file("routing.yaml")).unwrap();
    assert!(routing.requires_recorded_decision());
}

/// What an unknown key is told are the known ones; the page has a row for each.
#[test]
fn every_key_is_described() {
    let (page, home) = (page(), tempfile::tempdir().unwrap());
    let file = |title: &str, more: &str| example(&page, home.path(), title, more);
    let oidc = |more| Gatekeeper::load(Some(&file("oidc.yaml", more)), None).unwrap_err().to_string();
    let rbac = |more| Gatekeeper::load(None, Some(&file("rbac.yaml", more))).unwrap_err().to_string();
    let routing = |more| read_routing(&file("routing.yaml", more)).unwrap_err().to_string();
    let mut known = 0;
    for said in
        [oidc("zzz: 1"), rbac("zzz: 1"), rbac("    zzz: 1"), rbac("  zzz: 1"), routing("zzz: 1"), routing("  zzz: 1")]
    {
        let (_, list) = said.split_once("nown are ").unwrap_or_else(|| panic!("{said}"));
        for key in list.split(", ") {
            assert!(page.contains(key), "{key} of `{said}` is not described");
            known += 1;
        }
    }
    assert!(known > 40, "{known} keys");
}
