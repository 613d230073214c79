//! What a component imports and exports, by name: which world it was built for. Nothing of it is compiled or run.

use cavra_documents::shown;
use wasmparser::{ComponentExternalKind, ComponentTypeRef, Parser, Payload};

use crate::{Kind, Refusal, WorldName};

/// Names that are read of one component.
const MAX_NAMES: usize = 1_000;

/// The functions that the worlds export, by which a component is known that names no interface of them.
const EXPORTS: [(Kind, &[&str]); 3] = [
    (Kind::PolicyPack, &["configure", "evaluate"]),
    (Kind::Connector, &["describe", "step"]),
    (Kind::Normalizer, &["describe", "begin", "chunk", "finish"]),
];

/// What a component imports and exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// Names of imports, each with whether it is an interface, which may hold types only.
    pub imports: Vec<(String, bool)>,
    /// Names of exports.
    pub exports: Vec<String>,
}

impl Interfaces {
    /// Reads the names at the outer level of a component.
    ///
    /// # Errors
    /// [`Refusal::NotAComponent`], [`Refusal::Precompiled`].
    pub fn of(wasm: &[u8]) -> Result<Self, Refusal> {
        // The compiled form of wasmtime is an ELF file; it is machine code, and nobody's signature makes it safe to run.
        if wasm.starts_with(b"\x7fELF") {
            return Err(Refusal::Precompiled);
        }
        if !Parser::is_component(wasm) {
            let problem = if Parser::is_core_wasm(wasm) { "it is a core module" } else { "it has another format" };
            return Err(Refusal::NotAComponent { problem: problem.to_owned() });
        }
        Self::read(wasm).map_err(|error| Refusal::NotAComponent { problem: shown(error.message()) })
    }

    fn read(wasm: &[u8]) -> Result<Self, wasmparser::BinaryReaderError> {
        let (mut found, mut depth) = (Self::default(), 0_usize);
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        let import = import?;
                        let is_interface = matches!(import.ty, ComponentTypeRef::Instance(_));
                        // A type gives a name and no power.
                        let counts = !matches!(import.ty, ComponentTypeRef::Type(_));
                        if counts && found.imports.len() < MAX_NAMES {
                            found.imports.push((import.name.name.to_owned(), is_interface));
                        }
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        let export = export?;
                        let counts = !matches!(export.kind, ComponentExternalKind::Type);
                        if counts && found.exports.len() < MAX_NAMES {
                            found.exports.push(export.name.name.to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The kind of plugin it is.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        let named = Kind::ALL.into_iter().find(|kind| self.names().any(|name| package_of(name) == kind.package()));
        let exports = |wanted: &[&str]| wanted.iter().all(|wanted| self.exports.iter().any(|name| name == wanted));
        named.or_else(|| EXPORTS.into_iter().find(|(_, wanted)| exports(wanted)).map(|(kind, _)| kind))
    }

    /// The world that it names: package and version of the interfaces of ours it imports or exports. A component that uses
    /// no type of its world names none.
    #[must_use]
    pub fn world(&self) -> Option<WorldName> {
        let package = self.kind()?.package();
        let name = self.names().find(|name| package_of(name) == package)?;
        WorldName::parse(&format!("{package}@{}", name.rsplit_once('@')?.1))
    }

    /// The first import that is more than the types of its world.
    #[must_use]
    pub fn forbidden(&self) -> Option<String> {
        let package = self.kind().map(Kind::package);
        let allowed = |name: &str| package == Some(package_of(name)) && interface_of(name) == Some("types");
        let forbidden = self.imports.iter().find(|(name, is_interface)| !is_interface || !allowed(name));
        forbidden.map(|(name, _)| shown(name))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.imports.iter().map(|(name, _)| name.as_str()).chain(self.exports.iter().map(String::as_str))
    }
}

/// `cavra:policy` of `cavra:policy/types@1.1.0`.
fn package_of(name: &str) -> &str {
    name.split(['/', '@']).next().unwrap_or(name)
}

/// `types` of it.
fn interface_of(name: &str) -> Option<&str> {
    name.split_once('/')?.1.split('@').next()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Interfaces {
        Interfaces::of(&wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn worlds_are_known_by_their_types_or_their_functions() {
        let named = of(r#"(component (import "cavra:connector/types@1.0.0" (instance)))"#);
        assert_eq!((named.kind(), named.forbidden()), (Some(Kind::Connector), None));
        assert_eq!(named.world().unwrap().to_string(), "cavra:connector@1.0.0");
        assert_eq!(of("(component)").kind(), None);
        // What lies deeper is not what the host sees.
        let nested = of(r#"(component (component (import "cavra:policy/types@1.1.0" (instance))))"#);
        assert_eq!((nested.kind(), nested.imports), (None, vec![]));
        let bare = Interfaces { imports: vec![], exports: vec!["configure".into(), "evaluate".into()] };
        assert_eq!((bare.kind(), bare.world()), (Some(Kind::PolicyPack), None));
    }

    #[test]
    fn whatever_can_be_called_is_forbidden() {
        for (import, forbidden) in [
            (r#"(import "wasi:cli/environment@0.2.0" (instance))"#, "wasi:cli/environment@0.2.0"),
            (r#"(import "cavra:policy/host@1.1.0" (instance))"#, "cavra:policy/host@1.1.0"),
            (r#"(import "log" (func))"#, "log"),
        ] {
            let found = of(&format!(r#"(component (import "cavra:policy/types@1.1.0" (instance)) {import})"#));
            assert_eq!(found.forbidden().as_deref(), Some(forbidden));
        }
    }

    #[test]
    fn what_is_no_component_says_what_it_is() {
        let module = wat::parse_str("(module)").unwrap();
        for (bytes, said) in [
            (&module[..], "core module"),
            (b"", "another format"),
            (b"\x7fELF...", "compiled code"),
            (b"\0asm\x0d\0\x01\0\x07\xff", "no WebAssembly component"),
        ] {
            let refused = Interfaces::of(bytes).unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Interfaces::of(&[b"\0asm\x0d\0\x01\0".as_slice(), &bytes].concat());
        }
    }
}
