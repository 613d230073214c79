//! What a pack is, as written and resolved.

use std::fmt;
use std::sync::Arc;

use cavra_model::{Digest, PackName};
use cavra_normalize::Programs;
use serde_json::Value;

use crate::{PackError, Unverified};

/// Where a pack comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PackOrigin {
    /// The binary.
    Shipped,
    /// The operator's policy directory.
    Directory,
    /// An installed plugin.
    Plugin,
}

/// A pack as written, without its parents.
#[derive(Clone, Debug, PartialEq)]
pub struct Pack {
    /// The directory's name, the key it is looked up by.
    pub name: PackName,
    /// Where it comes from.
    pub origin: PackOrigin,
    /// The document; null if it cannot be parsed.
    pub document: Value,
    /// Digest of its `policy.wasm`.
    pub component: Option<Digest>,
    /// What keeps it from deciding, as `<dotted path>: <message>`.
    pub errors: Vec<String>,
    /// It, or a pack that it inherits, is not as it was published.
    pub is_unverified: bool,
}

impl Pack {
    /// A pack whose files cannot be read.
    pub(crate) fn unreadable(name: PackName, error: &PackError) -> Self {
        Self {
            name,
            origin: PackOrigin::Directory,
            document: Value::Null,
            component: None,
            errors: vec![format!("<root>: {error}")],
            is_unverified: false,
        }
    }

    /// `metadata.id`, or the directory's name.
    #[must_use]
    pub fn id(&self) -> &str {
        self.metadata("id").filter(|id| !id.is_empty()).unwrap_or(self.name.as_str())
    }

    /// `metadata.title`, if it is text.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.metadata("title")
    }

    /// `metadata.description`, if it is text.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.metadata("description")
    }

    /// `metadata.version`, if it is text.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.metadata("version")
    }

    fn metadata(&self, key: &str) -> Option<&str> {
        metadata(&self.document, key)
    }
}

/// A text of a document's metadata.
pub(crate) fn metadata<'d>(document: &'d Value, key: &str) -> Option<&'d str> {
    document.get("metadata")?.get(key)?.as_str()
}

/// A pack with its parents merged in, checked: what decides.
#[derive(Clone, Debug)]
pub struct ResolvedPack {
    /// The name that was asked for.
    pub name: String,
    /// `metadata.version`.
    pub version: Option<String>,
    /// The merged document.
    pub document: Value,
    /// The merged document as canonical JSON.
    pub canonical: String,
    /// Digest of `canonical`.
    pub digest: Digest,
    /// What is known about programs: what is built in, and the rows of the document.
    pub programs: Programs,
    /// The rule interpreter has to be asked. False only where components are there to decide and the merged document
    /// says nothing on files, commands, git and MCP servers.
    pub has_rules: bool,
    /// Components of the pack and its parents, parents first. The findings of all of them count.
    pub components: Vec<PackComponent>,
    /// Packs in its line whose signature does not fit. With one of them, nothing is decided by it.
    pub unverified: Vec<Unverified>,
    /// Packs in its line that carry no signature, although signatures are checked.
    pub unsigned: Vec<PackName>,
}

/// The `policy.wasm` of a pack.
#[derive(Clone)]
pub struct PackComponent {
    /// The pack it lies in.
    pub pack: String,
    /// That pack's `metadata.version`; empty if it has none.
    pub version: String,
    /// The component.
    pub wasm: Arc<[u8]>,
    /// Digest of `wasm`.
    pub digest: Digest,
    /// What its calls may use.
    pub bounds: CallBounds,
}

/// What calls of a component may use where that is less than what the host gives all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallBounds {
    /// Memory of one call, in MiB.
    pub memory_mib: Option<u64>,
    /// Time of one call, in milliseconds.
    pub time_ms: Option<u64>,
}

impl fmt::Debug for PackComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackComponent")
            .field("pack", &self.pack)
            .field("version", &self.version)
            .field("bytes", &self.wasm.len())
            .field("digest", &self.digest)
            .finish()
    }
}
