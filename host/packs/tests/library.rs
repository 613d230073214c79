//! The library over real directories: shadowing, edits, hostile files, inheritance, components.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cavra_model::PackName;
use cavra_packs::{PackError, PackLibrary, PackOrigin, PackRoot, ResolvedPack};
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

struct Root {
    directory: TempDir,
    library: PackLibrary,
}

impl Root {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let library = PackLibrary::new(PackRoot::Fixed(directory.path().to_owned()));
        Self { directory, library }
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// A pack that blocks reading `pattern`.
    fn pack(&self, pack: &str, inherits: &str, pattern: &str) {
        let inherits = if inherits.is_empty() { String::new() } else { format!(", inherits: {inherits}") };
        let text = format!(
            "metadata: {{id: cavra-{pack}, version: v-{pack}{inherits}}}\nfilesystem: {{block_read: [{pattern}]}}\n"
        );
        self.write(&format!("{pack}/policy.yaml"), text);
    }

    fn resolve(&self, pack: &str) -> Result<Arc<ResolvedPack>, PackError> {
        self.library.resolve(&name(pack))
    }

    fn patterns(&self, pack: &str) -> Vec<String> {
        let pack = self.resolve(pack).unwrap();
        serde_json::from_value(pack.document["filesystem"]["block_read"].clone()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        self.library.list().iter().map(|pack| pack.name.to_string()).collect()
    }
}

fn name(text: &str) -> PackName {
    PackName::new(text).unwrap()
}

fn make_pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn a_pack_of_the_directory_takes_the_place_of_the_shipped_one_while_it_is_there() {
    let root = Root::new();
    let shipped = root.resolve("cavra-hipaa").unwrap();
    assert_eq!(root.library.get(&name("cavra-hipaa")).unwrap().origin, PackOrigin::Shipped);
    root.pack("cavra-hipaa", "", "mine");
    assert_eq!(root.patterns("cavra-hipaa"), ["mine"]);
    assert_eq!(root.library.get(&name("cavra-hipaa")).unwrap().origin, PackOrigin::Directory);
    fs::remove_dir_all(root.path("cavra-hipaa")).unwrap();
    assert_eq!(root.resolve("cavra-hipaa").unwrap().digest, shipped.digest);
}

#[test]
fn an_added_parent_of_the_directory_counts_at_once() {
    let root = Root::new();
    root.pack("child", "cavra-ai-agent-baseline", "own");
    assert!(root.patterns("child").contains(&"**/.env".to_owned()));
    root.pack("cavra-ai-agent-baseline", "", "base");
    assert_eq!(root.patterns("child"), ["base", "own"]);
}

#[test]
fn edits_of_one_moment_and_of_equal_length_all_count() {
    let root = Root::new();
    root.pack("base", "", "start");
    root.pack("child", "base", "own");
    for round in 0..300 {
        let pattern = format!("p{round:03}");
        root.pack("base", "", &pattern);
        assert_eq!(root.patterns("child"), ["own".to_owned(), pattern]);
    }
}

#[test]
fn an_edit_counts_long_after_the_last_one_even_if_its_time_is_set_back() {
    let root = Root::new();
    root.pack("cavra-x", "", "aaaa");
    std::thread::sleep(Duration::from_millis(2100));
    let first = root.resolve("cavra-x").unwrap();
    assert!(Arc::ptr_eq(&first, &root.resolve("cavra-x").unwrap()));
    let path = root.path("cavra-x/policy.yaml");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    root.pack("cavra-x", "", "bbbb");
    fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(root.patterns("cavra-x"), ["bbbb"]);
    fs::rename(&path, root.path("cavra-x/old")).unwrap();
    assert!(matches!(root.resolve("cavra-x"), Err(PackError::NotFound { .. })));
}

#[test]
fn a_file_from_the_future_is_read_each_time() {
    let root = Root::new();
    root.pack("cavra-x", "", "aaaa");
    let future = SystemTime::now() + Duration::from_secs(3600);
    let path = root.path("cavra-x/policy.yaml");
    fs::File::options().write(true).open(&path).unwrap().set_modified(future).unwrap();
    assert_eq!(root.patterns("cavra-x"), ["aaaa"]);
    root.pack("cavra-x", "", "bbbb");
    assert_eq!(root.patterns("cavra-x"), ["bbbb"]);
}

#[test]
fn equal_contents_give_the_same_resolved_pack() {
    let root = Root::new();
    root.pack("cavra-x", "cavra-ai-agent-baseline", "a");
    let first = root.resolve("cavra-x").unwrap();
    root.pack("cavra-x", "cavra-ai-agent-baseline", "a");
    assert!(Arc::ptr_eq(&first, &root.resolve("cavra-x").unwrap()));
}

#[test]
fn lists_are_in_order_and_survive_what_is_broken() {
    let root = Root::new();
    root.pack("aaa", "", "x");
    root.write("empty/readme.txt", "");
    root.write("list/policy.yaml", "[a]");
    root.write("broken/policy.yaml", "a: [");
    root.write("Upper/policy.yaml", "metadata: {}");
    root.write("policy.yaml", "metadata: {}");
    root.write("file", "");
    fs::create_dir_all(root.path("pipe")).unwrap();
    make_pipe(&root.path("pipe/policy.yaml"));
    let names = root.names();
    assert!(names.is_sorted());
    assert_eq!(names.iter().filter(|name| !name.starts_with("cavra-")).collect::<Vec<_>>(), ["aaa", "broken", "pipe"]);
    assert_eq!(names.len(), 3 + cavra_builtin::PACKS.len());
    for pack in root.library.list() {
        let expected = ["broken", "pipe"].contains(&pack.name.as_str());
        assert_eq!(!pack.errors.is_empty(), expected, "{}: {:?}", pack.name, pack.errors);
    }
    for broken in ["list", "broken"] {
        assert!(matches!(root.resolve(broken), Err(PackError::Invalid { .. })), "{broken}");
    }
    assert!(matches!(root.library.get(&name("list")), Err(PackError::Invalid { .. })));
    assert!(matches!(root.resolve("file"), Err(PackError::NotFound { .. })));
}

#[test]
fn a_malformed_document_is_refused_wherever_it_is_in_the_line() {
    let root = Root::new();
    root.pack("child", "base", "x");
    for rules in [
        "filesystem: {block_read: '*.env'}",
        "filesystem: {block_read: }",
        "filesystem: ",
        "commands: []",
        "commands: {deny: [x]}",
        "mcp: {block_unknown_servers: 'no'}",
        "metadata: [x]",
        "metadata: {inherits: 5}",
        "metadata: {inherits: []}",
        "metadata: {inherits: [1]}",
        "metadata: {inherits: ''}",
        "metadata: {inherits: [a, a]}",
        "metadata: {mode: weird}",
        "filesystem: {block_read: [x]}",
        "metadata: {}\ncommands: {block: [x, x]}",
        "metadata: {}\nmcp: {risk_scoring: {s: huge}}",
        "not: [yaml",
    ] {
        root.write("base/policy.yaml", rules);
        match root.resolve("child") {
            Err(PackError::Invalid { name, errors }) => assert!(name == "base" && !errors.is_empty(), "{rules}"),
            other => panic!("{rules}: {other:?}"),
        }
        assert!(matches!(root.resolve("base"), Err(PackError::Invalid { .. })), "{rules}");
        for pack in ["base", "child"] {
            let listed = root.library.get(&name(pack)).unwrap();
            assert!(!listed.errors.is_empty(), "{rules}: {pack} is listed as valid");
        }
    }
    root.write("base/policy.yaml", [0x61, 0x3a, 0xff]);
    assert!(root.resolve("child").unwrap_err().to_string().contains("UTF-8"));
    for readable in ["title: ", "id: Evil", "title: 5", "version: 1.0"] {
        root.write("base/policy.yaml", format!("metadata: {{{readable}}}"));
        assert!(root.resolve("child").is_ok(), "{readable}: texts for readers do not decide");
    }
    assert!(root.library.list().iter().all(|pack| pack.errors.is_empty()));
}

#[test]
fn links_may_stay_inside_and_must_not_lead_out() {
    let (root, outside) = (Root::new(), Root::new());
    outside.pack("secret", "", "outside");
    outside.pack("cavra-hipaa", "", "outside");
    root.pack("real", "", "inside");
    symlink("real", root.path("alias")).unwrap();
    root.write("mounted/..data/policy.yaml", "metadata: {id: cavra-m}\nfilesystem: {block_read: [m]}");
    symlink("..data/policy.yaml", root.path("mounted/policy.yaml")).unwrap();
    assert_eq!(root.patterns("alias"), ["inside"]);
    assert_eq!(root.patterns("mounted"), ["m"]);

    symlink(outside.path("secret"), root.path("out")).unwrap();
    fs::create_dir_all(root.path("cavra-hipaa")).unwrap();
    symlink(outside.path("cavra-hipaa/policy.yaml"), root.path("cavra-hipaa/policy.yaml")).unwrap();
    root.pack("component", "", "x");
    symlink(outside.path("secret/policy.yaml"), root.path("component/policy.wasm")).unwrap();
    symlink("nowhere", root.path("gone")).unwrap();
    root.pack("dangling", "", "x");
    symlink("nowhere", root.path("dangling/policy.wasm")).unwrap();
    for pack in ["out", "cavra-hipaa", "component", "gone", "dangling"] {
        let error = root.resolve(pack).unwrap_err();
        assert!(matches!(error, PackError::Unreadable { .. }), "{pack}: {error}");
        assert!(!error.to_string().contains('/'), "{error}");
    }
}

#[test]
fn a_link_that_is_turned_outside_later_is_noticed() {
    let (root, outside) = (Root::new(), Root::new());
    outside.pack("x", "", "outside");
    root.pack("real", "", "inside");
    symlink("real", root.path("alias")).unwrap();
    assert_eq!(root.patterns("alias"), ["inside"]);
    fs::remove_file(root.path("alias")).unwrap();
    symlink(outside.path("x"), root.path("alias")).unwrap();
    assert_eq!(root.patterns("alias"), ["inside"], "decides as before, and nothing outside is read");
}

#[test]
fn pipes_and_large_files_are_refused_without_waiting() {
    let root = Root::new();
    root.pack("pipe", "", "x");
    make_pipe(&root.path("pipe/policy.wasm"));
    fs::create_dir_all(root.path("folder/policy.yaml")).unwrap();
    root.write("large/policy.yaml", "#".repeat(cavra_packs::MAX_POLICY_BYTES + 1));
    root.pack("heavy", "", "x");
    root.write("heavy/policy.wasm", vec![0; cavra_packs::MAX_COMPONENT_BYTES + 1]);
    for pack in ["pipe", "folder", "large", "heavy"] {
        let error = root.resolve(pack).unwrap_err();
        assert!(matches!(error, PackError::Unreadable { .. }), "{pack}: {error}");
    }
}

#[test]
fn parents_come_in_order_and_the_child_wins() {
    let root = Root::new();
    root.pack("a", "", "a");
    root.pack("b", "a", "b");
    root.pack("c", "a", "c");
    root.pack("d", "[b, c]", "d");
    let resolved = root.resolve("d").unwrap();
    assert_eq!(root.patterns("d"), ["a", "b", "c", "d"]);
    assert_eq!(resolved.version.as_deref(), Some("v-d"));
    assert_eq!(resolved.document["metadata"]["inherits"], json!(["b", "c"]));
    assert_eq!(cavra_model::Digest::of_json(&resolved.document), resolved.digest);
    assert_eq!(cavra_model::canonical(&resolved.document), resolved.canonical);

    root.write("c/policy.yaml", "metadata: {id: cavra-c, inherits: a}\nmcp: {block_unknown_servers: false}");
    root.write("b/policy.yaml", "metadata: {id: cavra-b}\nmcp: {block_unknown_servers: true}");
    assert_eq!(root.resolve("d").unwrap().document["mcp"]["block_unknown_servers"], false, "the later parent wins");
}

#[test]
fn cycles_unknown_parents_and_deep_lines_are_errors() {
    let root = Root::new();
    root.pack("self", "self", "x");
    root.pack("a", "b", "x");
    root.pack("b", "c", "x");
    root.pack("c", "[cavra-hipaa, b]", "x");
    assert!(matches!(root.resolve("self"), Err(PackError::Cycle { chain }) if chain == ["self", "self"]));
    assert!(matches!(root.resolve("a"), Err(PackError::Cycle { chain }) if chain == ["b", "c", "b"]));
    for parent in ["nobody", "../a", "/etc", "A", "a/policy.yaml"] {
        root.pack("child", parent, "x");
        let error = root.resolve("child").unwrap_err();
        assert!(matches!(&error, PackError::UnknownParent { pack, .. } if pack == "child"), "{parent}: {error}");
    }
    root.pack("l1", "", "x");
    for level in 2..=17 {
        root.pack(&format!("l{level}"), &format!("l{}", level - 1), "x");
    }
    assert!(root.resolve("l16").is_ok());
    assert!(matches!(root.resolve("l17"), Err(PackError::TooDeep { .. })));
    for pack in root.library.list() {
        let lines = pack.errors.iter().filter(|line| line.starts_with("metadata.inherits: ")).count();
        let unusable = root.resolve(pack.name.as_str()).is_err();
        assert_eq!((lines, pack.errors.len()), (usize::from(unusable), usize::from(unusable)), "{pack:?}");
    }
}

#[test]
fn many_ways_to_the_same_parents_are_walked_once() {
    let root = Root::new();
    root.pack("x1", "", "x");
    root.pack("y1", "", "y");
    for level in 2..=16 {
        let parents = format!("[x{0}, y{0}]", level - 1);
        root.pack(&format!("x{level}"), &parents, "x");
        root.pack(&format!("y{level}"), &parents, "y");
    }
    assert_eq!(root.patterns("x16"), ["x", "y"]);
    let wide: Vec<String> = (0..80).map(|number| format!("w{number}")).collect();
    wide.iter().for_each(|pack| root.pack(pack, "", "w"));
    root.pack("wide", &format!("[{}]", wide.join(", ")), "x");
    assert!(matches!(root.resolve("wide"), Err(PackError::TooDeep { .. })));
}

#[test]
fn components_of_the_whole_line_count() {
    let root = Root::new();
    root.write("base/policy.yaml", "metadata: {id: cavra-base, version: '7'}");
    root.write("base/policy.wasm", b"\0asm\x0d\0\x01\0base");
    root.write("child/policy.yaml", "metadata: {id: cavra-child, inherits: base}\nevidence: {a: 1}");
    let child = root.resolve("child").unwrap();
    let [base] = child.components.as_slice() else { panic!("{:?}", child.components) };
    assert_eq!((base.pack.as_str(), base.version.as_str(), &*base.wasm), ("base", "7", &b"\0asm\x0d\0\x01\0base"[..]));
    assert_eq!(base.digest, cavra_model::Digest::of(b"\0asm\x0d\0\x01\0base"));
    assert!(!child.has_rules, "only the component decides");

    root.write("child/policy.wasm", b"\0asm\x0d\0\x01\0child");
    let child = root.resolve("child").unwrap();
    assert_eq!(child.components.iter().map(|component| component.pack.as_str()).collect::<Vec<_>>(), ["base", "child"]);
    root.write("base/policy.wasm", b"\0asm\x0d\0\x01\0best");
    assert_eq!(&*root.resolve("child").unwrap().components[0].wasm, b"\0asm\x0d\0\x01\0best");

    root.write("child/policy.yaml", "metadata: {id: cavra-child, inherits: base}\nmcp: {}");
    assert!(root.resolve("child").unwrap().has_rules);
    fs::remove_file(root.path("child/policy.wasm")).unwrap();
    fs::remove_file(root.path("base/policy.wasm")).unwrap();
    root.write("child/policy.yaml", "metadata: {id: cavra-child, inherits: base}");
    let child = root.resolve("child").unwrap();
    assert!(child.components.is_empty() && child.has_rules, "without a component the rules decide, by default");
}

#[test]
fn a_document_from_elsewhere_takes_its_parents_from_the_library() {
    let root = Root::new();
    root.pack("base", "", "base");
    let document = json!({"metadata": {"inherits": "base", "version": "9"}, "filesystem": {"block_read": ["own"]}});
    let resolved = root.library.resolve_document(".cavra/policy.yaml", document).unwrap();
    assert_eq!(resolved.name, ".cavra/policy.yaml");
    assert_eq!(resolved.version.as_deref(), Some("9"));
    assert_eq!(resolved.document["filesystem"]["block_read"], json!(["base", "own"]));
    for (document, label) in
        [(json!(null), "a"), (json!([]), "a"), (json!({"metadata": {}, "commands": {"allow": "x"}}), "a")]
    {
        let error = root.library.resolve_document(label, document).unwrap_err();
        assert!(matches!(error, PackError::Invalid { .. }), "{error}");
    }
    let document = json!({"metadata": {"inherits": "nobody"}});
    assert_eq!(
        root.library.faults(&document),
        [
            "metadata: `description` is missing",
            "metadata: `id` is missing",
            "metadata: `title` is missing",
            "metadata: `version` is missing"
        ]
    );
    assert!(matches!(root.library.resolve_document("x", document), Err(PackError::UnknownParent { .. })));
    let own = json!({"metadata": {"id": "cavra-own", "title": "t", "description": "d", "version": "1", "inherits": "cavra-own"}});
    let error = root.library.resolve_document("x", own.clone()).unwrap_err();
    assert!(matches!(&error, PackError::Cycle { chain } if chain == &["cavra-own", "cavra-own"]), "{error}");
    assert_eq!(root.library.faults(&own), [format!("metadata.inherits: {error}")]);
    root.pack("cavra-own", "", "base");
    assert_eq!(root.library.faults(&own), Vec::<String>::new(), "it builds on the pack of its name");
}

/// Nothing is compiled to find that out, so lists say it too.
#[test]
fn what_is_no_component_keeps_its_pack_from_deciding() {
    for bytes in [&b""[..], b"no component", b"\0asm", b"\0asm\x01\0\0\0core module"] {
        let root = Root::new();
        root.pack("base", "", "base");
        root.write("base/policy.wasm", bytes);
        root.pack("child", "base", "own");
        for (name, place) in [("base", "<root>: "), ("child", "metadata.inherits: ")] {
            let error = root.resolve(name).unwrap_err();
            assert!(matches!(error, PackError::Unreadable { .. }), "{error}");
            let listed = root.library.list().into_iter().find(|pack| pack.name.as_str() == name).unwrap();
            let wanted = format!("{place}policy pack `base` cannot be read: policy.wasm is no WebAssembly component");
            assert_eq!(listed.errors, [wanted]);
        }
        assert!(root.library.resolve_path(&root.path("base")).is_err());
        fs::remove_file(root.path("base/policy.wasm")).unwrap();
        assert_eq!(root.patterns("child"), ["base", "own"]);
    }
}

#[test]
fn a_policy_by_path_brings_its_component() {
    let root = Root::new();
    root.pack("base", "", "base");
    let elsewhere = Root::new();
    elsewhere.pack("mine", "base", "own");
    elsewhere.write("mine/policy.wasm", b"\0asm\x0d\0\x01\0");
    elsewhere.write("mine/other.yaml", "metadata: {inherits: base}");
    for path in [elsewhere.path("mine"), elsewhere.path("mine/policy.yaml")] {
        let resolved = root.library.resolve_path(&path).unwrap();
        assert_eq!(resolved.document["filesystem"]["block_read"], json!(["base", "own"]));
        assert_eq!(resolved.components.len(), 1);
        assert_eq!(resolved.components[0].version, "v-mine");
    }
    assert!(root.library.resolve_path(&elsewhere.path("mine/other.yaml")).unwrap().components.is_empty());
    assert_eq!(cavra_packs::read_policy(&elsewhere.path("mine")).unwrap()["metadata"]["id"], "cavra-mine");
    elsewhere.write("broken.yaml", "a: [");
    assert!(matches!(root.library.resolve_path(&elsewhere.path("broken.yaml")), Err(PackError::Invalid { .. })));
    make_pipe(&elsewhere.path("pipe.yaml"));
    fs::create_dir_all(elsewhere.path("empty")).unwrap();
    for path in ["pipe.yaml", "empty", "nowhere.yaml"] {
        let error = root.library.resolve_path(&elsewhere.path(path)).unwrap_err();
        assert!(matches!(error, PackError::Unreadable { .. }), "{path}: {error}");
    }
}

#[test]
fn the_environment_names_a_directory_that_may_come_later() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("later");
    let library = PackLibrary::new(PackRoot::FromEnvironment(Some(directory.clone())));
    assert!(matches!(library.resolve(&name("mine")), Err(PackError::NotFound { .. })));
    assert!(library.resolve(&name("cavra-hipaa")).is_ok());
    fs::create_dir_all(directory.join("mine")).unwrap();
    fs::write(directory.join("mine/policy.yaml"), "metadata: {id: cavra-mine}").unwrap();
    assert!(library.resolve(&name("mine")).is_ok());
    fs::remove_dir_all(&directory).unwrap();
    assert!(matches!(library.resolve(&name("mine")), Err(PackError::NotFound { .. })));
}

proptest! {
    /// Whatever somebody calls a parent, nothing outside the directory is reached.
    #[test]
    fn no_name_leaves_the_directory(parent in "[a./\\\\~%0\u{0} -]{0,12}") {
        let outer = Root::new();
        outer.pack("a", "", "outside");
        let inner = PackLibrary::new(PackRoot::Fixed(outer.path("inner")));
        fs::create_dir_all(outer.path("inner")).unwrap();
        prop_assert!(PackName::new(&parent).is_err() || !parent.contains(['/', '\\', '~', '\0']));
        let document = json!({"metadata": {"inherits": parent}});
        let error = inner.resolve_document("x", document).expect_err("there is no pack inside");
        // The empty text is no name at all.
        let is_refused = matches!(error, PackError::UnknownParent { .. } | PackError::Invalid { .. });
        prop_assert!(is_refused);
    }
}
