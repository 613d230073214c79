//! A connector as this host can serve it: where it finds its endpoint, its credentials and its settings in the operator's
//! file.

use std::sync::Arc;

use cavra_plugins::connector::{Credential, CredentialKind, Description, Endpoint};
use cavra_plugins::{ComponentSource, Connector, Origin, PluginHost};

use crate::{DeliveryError, Provider};

/// A loaded connector.
#[derive(Clone)]
pub(crate) struct Plug(Arc<Connector>);

impl Plug {
    /// The connector of a provider, loaded when it is first asked for and kept by `host`.
    ///
    /// # Errors
    /// [`DeliveryError::Component`].
    pub async fn load(host: &PluginHost, provider: Provider) -> Result<Self, DeliveryError> {
        let component = provider.component();
        let source = ComponentSource {
            plugin: component.name,
            version: component.version,
            wasm: component.wasm,
            wasm_digest: component.digest,
            origin: Origin::FirstParty,
        };
        let connector = host.connector(source).await.map_err(|error| DeliveryError::Component(error.to_string()))?;
        Self::of(connector).map_err(|problem| DeliveryError::Component(format!("connector {provider}: {problem}")))
    }

    /// The operator's file has one place for an address, one for what lets a message in, and one for what it is signed
    /// with.
    pub fn of(connector: Arc<Connector>) -> Result<Self, &'static str> {
        let Description { endpoints, credentials, .. } = connector.description();
        let signs = credentials.iter().filter(|credential| is_signature(credential)).count();
        if endpoints.len() != 1 || signs > 1 || credentials.len() - signs > 1 {
            return Err("it wants more endpoints or credentials than there are places for");
        }
        Ok(Self(connector))
    }

    pub fn connector(&self) -> &Connector {
        &self.0
    }

    pub fn description(&self) -> &Description {
        self.0.description()
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
