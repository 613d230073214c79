//! A connector as this host can serve it: where it finds its endpoint, its credentials and its settings in the operator's
//! file.

use std::path::Path;
use std::sync::Arc;

use cavra_model::Digest;
use cavra_plugins::connector::{Credential, CredentialKind, Description, Endpoint};
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

    /// The operator's file has one place for an address, one for what lets a message in, and one for what it is signed
    /// with.
    pub fn of(connector: Arc<Connector>, origin: Origin) -> Result<Self, &'static str> {
        let Description { endpoints, credentials, .. } = connector.description();
        let signs = credentials.iter().filter(|credential| is_signature(credential)).count();
        if endpoints.len() != 1 || signs > 1 || credentials.len() - signs > 1 {
            return Err("it wants more endpoints or credentials than there are places for");
        }
        Ok(Self { connector, origin })
    }

    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    pub fn description(&self) -> &Description {
        self.connector.description()
    }

    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.description().endpoints.first()
    }

    /// What lets messages in.
    pub fn access(&self) -> Option<&Credential> {
        self.description().credentials.iter().find(|credential| !is_signature(credential))
    }

    /// What messages are signed with.
    pub fn signature(&self) -> Option<&Credential> {
        self.description().credentials.iter().find(|credential| is_signature(credential))
    }

    /// What stands before a token.
    pub fn scheme(&self) -> Option<&str> {
        self.kinds().find_map(|kind| match kind {
            CredentialKind::Token(scheme) => Some(scheme.as_str()),
            _ => None,
        })
    }

    /// The header of an API key.
    pub fn key_header(&self) -> Option<&str> {
        self.kinds().find_map(|kind| match kind {
            CredentialKind::Header(name) => Some(name.as_str()),
            _ => None,
        })
    }

    fn kinds(&self) -> impl Iterator<Item = &CredentialKind> {
        self.access().into_iter().flat_map(|credential| &credential.kinds)
    }
}

fn is_signature(credential: &Credential) -> bool {
    credential.kinds.contains(&CredentialKind::StandardWebhooks)
}
