//! A connector as this host can serve it: where it finds its endpoint, its credentials and its settings in the operator's
//! file.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use cavra_model::Digest;
use cavra_plugins::connector::{Description, SubjectKind};
use cavra_plugins::{ComponentSource, Connector, Origin, PluginHost};
use serde_json::Value;

use crate::config::{SettingError, Settings, bounded};
use crate::{DeliveryError, Provider};

/// Largest component of an operator's, in bytes.
const LARGEST: u64 = 20 * 1024 * 1024;

/// A loaded connector.
#[derive(Clone)]
pub(crate) struct Plug {
    connector: Arc<Connector>,
    /// Whose component it is.
    pub origin: Origin,
}

impl Plug {
    /// The connector of a provider, loaded when it is first asked for and kept by `host`.
    ///
    /// # Errors
    /// [`DeliveryError::Component`].
    pub async fn of_the_binary(host: &PluginHost, provider: Provider) -> Result<Self, DeliveryError> {
        let missing = || DeliveryError::Component(format!("connector {provider}: there is no component"));
        let component = provider.component().ok_or_else(missing)?;
        let source = ComponentSource {
            plugin: component.name,
            version: component.version,
            wasm: component.wasm,
            wasm_digest: component.digest,
            origin: Origin::FirstParty,
        };
        let connector = host.connector(source).await.map_err(|error| DeliveryError::Component(error.to_string()))?;
        Self::of(connector, Origin::FirstParty)
            .map_err(|problem| DeliveryError::Component(format!("connector {provider}: {problem}")))
    }

    /// The connector that the operator's file names in place of the binary's, if it names one. It is what its digest says,
    /// and it is compiled in a process of its own.
    ///
    /// # Errors
    /// A setting that cannot be used, and a component that cannot.
    pub async fn of_the_operator(
        host: &PluginHost,
        provider: Provider,
        entry: &Value,
    ) -> Result<Option<Self>, SettingError> {
        let settings = Settings::of(provider, entry)?;
        let Some(path) = settings.text("component")? else { return Ok(None) };
        let wanted =
            settings.text("component_digest")?.ok_or_else(|| settings.error("`component_digest` is missing"))?;
        let read = bounded(Path::new(path), LARGEST);
        let wasm = read.map_err(|why| settings.error(format!("the file that `component` names {why}")))?;
        let digest = Digest::of(&wasm);
        if digest.as_str() != wanted {
            return Err(settings.error("its component is not what `component_digest` says"));
        }
        let source = ComponentSource {
            plugin: provider.as_str(),
            version: "of the operator",
            wasm: &wasm,
            wasm_digest: digest.as_str(),
            origin: Origin::Operator,
        };
        let connector = host.connector(source).await.map_err(|error| settings.error(error.to_string()))?;
        Self::of(connector, Origin::Operator).map(Some).map_err(|problem| settings.error(problem))
    }

    /// What it declares has names of its own, and somewhere to send to.
    pub fn of(connector: Arc<Connector>, origin: Origin) -> Result<Self, &'static str> {
        let Description { endpoints, credentials, .. } = connector.description();
        let are_names = |names: &[&str]| {
            let distinct: BTreeSet<&&str> = names.iter().collect();
            distinct.len() == names.len() && names.iter().all(|name| is_name(name))
        };
        let endpoints: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
        let credentials: Vec<&str> = credentials.iter().map(|credential| credential.name.as_str()).collect();
        if endpoints.is_empty() || endpoints.len().max(credentials.len()) > MOST_NAMES {
            return Err("it declares no endpoint, or more endpoints or credentials than anybody would grant");
        }
        if !are_names(&endpoints) || !are_names(&credentials) {
            return Err("two of its endpoints or credentials have one name, or one that is none");
        }
        Ok(Self { connector, origin })
    }

    /// Whether it can be asked to tell this.
    pub fn takes(&self, kind: SubjectKind) -> bool {
        self.description().subjects.contains(&kind)
    }

    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    pub fn description(&self) -> &Description {
        self.connector.description()
    }
}

/// Most endpoints, and most credentials.
const MOST_NAMES: usize = 8;

/// Small letters, digits, hyphens and underscores.
fn is_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}
