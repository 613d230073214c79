//! The types of the SDKs are the contract's. Those of the JavaScript SDK are made here, in TypeScript, with what the contract
//! says of each, as `componentize-qjs` hands values to a plugin:
//! <https://github.com/andreiltd/componentize-qjs#wit-type-mappings>. Those of the Python SDK are what `componentize-py` makes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use wit_parser::{Docs, Resolve, Type, TypeDef, TypeDefKind, WorldItem};

use crate::support::{Home, python_sdk, repository};

/// Where a contract lies, its world, the file of its types, and their module.
const WORLDS: [(&str, &str, &str, &str); 3] = [
    ("connector.wit", "connector", "connector.d.ts", "cavra_connector"),
    ("normalizer.wit", "normalizer", "normalizer.d.ts", "cavra_normalizer"),
    ("policy.wit", "policy-pack", "policy.d.ts", "cavra_policy"),
];

/// The SDKs carry copies, because what is installed from them has no `wit/` beside it.
#[test]
fn the_contracts_in_the_sdks_are_published_ones() {
    for published in ["connector/1.0.0/connector.wit", "normalizer/1.0.0/normalizer.wit", "policy/1.1.0/policy.wit"] {
        let contract = fs::read(repository().join("wit").join(published)).unwrap();
        let name = Path::new(published).file_name().unwrap();
        for copies in ["sdk/js/wit", "sdk/python/src/cavra_sdk/wit"] {
            let copy = fs::read(repository().join(copies).join(name)).unwrap();
            assert!(copy == contract, "{copies}: not {published}");
        }
    }
}

#[test]
fn the_types_of_the_python_sdk_are_those_of_the_contract() {
    let Some(python) = python_sdk() else { return };
    let sources = repository().join("sdk/python/src");
    for (wit, world, _, module) in WORLDS {
        let made = Home::new();
        let contract = sources.join("cavra_sdk/wit").join(wit);
        let mut command = Command::new(python.join("bin/componentize-py"));
        command.args(["--quiet", "--wit-path"]).arg(contract).args(["--world", world, "--world-module", module]);
        let output = command.arg("bindings").arg(made.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (wanted, folder) = (modules(&made.join(module)), sources.join(module));
        if std::env::var_os("CAVRA_BLESS").is_some() {
            for (name, text) in &wanted {
                fs::write(folder.join(name), text).unwrap();
            }
        }
        assert_eq!(modules(&folder), wanted, "{module}: CAVRA_BLESS=1 writes it anew");
        let shared = |folder: &Path| fs::read_to_string(folder.join("componentize_py_types.py")).unwrap();
        assert_eq!(shared(&sources), shared(made.path()));
    }
}

/// The Python modules of a package, by their paths in it.
fn modules(package: &Path) -> BTreeMap<String, String> {
    let files = ["__init__.py", "imports/__init__.py", "imports/types.py"];
    files.map(|file| (file.to_owned(), fs::read_to_string(package.join(file)).unwrap())).into()
}

#[test]
fn the_types_of_the_javascript_sdk_are_those_of_the_contract() {
    for (wit, world, file, _) in WORLDS {
        let contract = fs::read_to_string(repository().join("sdk/js/wit").join(wit)).unwrap();
        let wanted = types(wit, &contract, world);
        let path = repository().join("sdk/js/types").join(file);
        if std::env::var_os("CAVRA_BLESS").is_some() {
            fs::write(&path, &wanted).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), wanted, "{file}: CAVRA_BLESS=1 writes it anew");
    }
}

fn types(file: &str, contract: &str, world: &str) -> String {
    let mut resolve = Resolve::default();
    let package = resolve.push_source(file, contract).unwrap();
    let name = resolve.packages[package].name.clone();
    let mut text = format!("// Types of {name}. Generated from {file}.\n");
    for interface in resolve.packages[package].interfaces.values() {
        for id in resolve.interfaces[*interface].types.values() {
            declare(&mut text, &resolve, &resolve.types[*id]);
        }
    }
    let id = resolve.select_world(&[package], Some(world)).unwrap();
    let world = &resolve.worlds[id];
    writeln!(
        text,
        "\n/** What a {} exports. */\nexport interface {} {{",
        world.name.replace('-', " "),
        pascal(&world.name)
    )
    .unwrap();
    for function in world.exports.values() {
        let WorldItem::Function(function) = function else { panic!("worlds export functions") };
        let parameters: Vec<_> =
            function.params.iter().map(|it| format!("{}: {}", camel(&it.name), name_of(&resolve, &it.ty))).collect();
        let (answer, error) = match function.result.as_ref().map(|answer| result_of(&resolve, answer)) {
            None => ("void".to_owned(), None),
            Some(Err(answer)) => (answer, None),
            Some(Ok((answer, error))) => (answer, Some(error)),
        };
        let throws = error.map(|error| format!("Throws: {error}"));
        document(&mut text, "  ", function.docs.contents.as_deref(), throws.as_deref());
        writeln!(text, "  {}({}): {answer};", camel(&function.name), parameters.join(", ")).unwrap();
    }
    text + "}\n"
}

/// What a function answers, and throws if it answers a `result`.
fn result_of(resolve: &Resolve, ty: &Type) -> Result<(String, String), String> {
    let Type::Id(id) = ty else { return Err(name_of(resolve, ty)) };
    let TypeDefKind::Result(result) = &resolve.types[*id].kind else { return Err(name_of(resolve, ty)) };
    let of = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "void".to_owned(), |ty| name_of(resolve, ty));
    Ok((of(&result.ok), of(&result.err)))
}

fn declare(text: &mut String, resolve: &Resolve, def: &TypeDef) {
    let name = pascal(def.name.as_deref().unwrap());
    text.push('\n');
    let docs = |text: &mut String, docs: &Docs| document(text, "  ", docs.contents.as_deref(), None);
    document(text, "", def.docs.contents.as_deref(), None);
    match &def.kind {
        TypeDefKind::Record(record) => {
            writeln!(text, "export interface {name} {{").unwrap();
            for field in &record.fields {
                docs(text, &field.docs);
                writeln!(text, "  {}: {};", camel(&field.name), name_of(resolve, &field.ty)).unwrap();
            }
            text.push_str("}\n");
        }
        TypeDefKind::Variant(variant) => {
            write!(text, "export type {name} =").unwrap();
            for case in &variant.cases {
                text.push('\n');
                docs(text, &case.docs);
                let value = case.ty.as_ref().map(|ty| format!("; val: {}", name_of(resolve, ty))).unwrap_or_default();
                write!(text, "  | {{ tag: \"{}\"{value} }}", case.name).unwrap();
            }
            text.push_str(";\n");
        }
        TypeDefKind::Enum(cases) => {
            write!(text, "export type {name} =").unwrap();
            for case in &cases.cases {
                text.push('\n');
                docs(text, &case.docs);
                write!(text, "  | \"{}\"", case.name).unwrap();
            }
            text.push_str(";\n");
        }
        other => panic!("{name}: {} is in no contract", other.as_str()),
    }
}

/// A comment in front of a declaration.
fn document(text: &mut String, indent: &str, docs: Option<&str>, more: Option<&str>) {
    let lines: Vec<_> = docs.into_iter().flat_map(str::lines).chain(more).collect();
    match lines.as_slice() {
        [] => {}
        [line] => writeln!(text, "{indent}/** {line} */").unwrap(),
        lines => {
            writeln!(text, "{indent}/**").unwrap();
            for line in lines {
                writeln!(text, "{indent} * {line}").unwrap();
            }
            writeln!(text, "{indent} */").unwrap();
        }
    }
}

fn name_of(resolve: &Resolve, ty: &Type) -> String {
    let id = match ty {
        Type::Bool => return "boolean".to_owned(),
        Type::String => return "string".to_owned(),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::S8 | Type::S16 | Type::S32 | Type::S64 => {
            return "number".to_owned();
        }
        Type::Id(id) => *id,
        other => panic!("{other:?} is in no contract"),
    };
    let def = &resolve.types[id];
    match &def.kind {
        TypeDefKind::Type(ty) => name_of(resolve, ty),
        TypeDefKind::Option(ty) => format!("{} | null", name_of(resolve, ty)),
        TypeDefKind::List(Type::U8) => "Uint8Array".to_owned(),
        TypeDefKind::List(ty) => format!("{}[]", name_of(resolve, ty)),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<_> = tuple.types.iter().map(|ty| name_of(resolve, ty)).collect();
            format!("[{}]", types.join(", "))
        }
        TypeDefKind::Result(result) => {
            let case = |tag: &str, ty: &Option<Type>| {
                let value = ty.as_ref().map(|ty| format!("; val: {}", name_of(resolve, ty))).unwrap_or_default();
                format!("{{ tag: \"{tag}\"{value} }}")
            };
            format!("{} | {}", case("ok", &result.ok), case("err", &result.err))
        }
        _ => pascal(def.name.as_deref().unwrap()),
    }
}

fn pascal(name: &str) -> String {
    let word = |word: &str| word.get(..1).unwrap_or_default().to_uppercase() + word.get(1..).unwrap_or_default();
    name.split('-').map(word).collect()
}

fn camel(name: &str) -> String {
    let name = pascal(name);
    name.get(..1).unwrap_or_default().to_lowercase() + name.get(1..).unwrap_or_default()
}
