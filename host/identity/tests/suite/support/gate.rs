//! Gatekeepers, made from files as the server makes them.

use std::path::PathBuf;

use cavra_identity::{Actor, ConfigError, Envelope, Gatekeeper, Identity, IdentityError, Via};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{AUDIENCE, ISSUER, Signer, object};

/// A gatekeeper.
pub struct Gate(pub Gatekeeper);

impl Gate {
    /// From the content of its files.
    pub fn new(oidc: Option<Value>, rbac: Option<Value>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let written =
            |name: &str, content: Option<Value>| content.map(|content| write(&folder, name, &content.to_string()));
        let (oidc, rbac) = (written("oidc.json", oidc), written("rbac.json", rbac));
        Self(Gatekeeper::load(oidc.as_deref(), rbac.as_deref()).unwrap())
    }

    /// One that knows the provider's key as `k1`.
    pub fn standard() -> Self {
        Self::with_keys(json!([Signer::provider().jwk("k1")]))
    }

    pub fn with_keys(keys: Value) -> Self {
        Self::new(Some(config(json!({"jwks": {"keys": keys}}))), None)
    }

    /// With the provider's key and a policy.
    pub fn with_rbac(rbac: Value) -> Self {
        Self::new(Some(config(json!({"jwks": {"keys": [Signer::provider().jwk("k1")]}}))), Some(rbac))
    }

    pub fn identify(&self, envelope: &Envelope) -> Result<Option<Identity>, IdentityError> {
        block_on(self.0.identify(envelope))
    }

    pub fn require(&self, envelope: &Envelope) -> Result<Option<Identity>, IdentityError> {
        block_on(self.0.require(envelope))
    }

    /// What a token in a body comes to.
    pub fn token(&self, token: &str) -> Result<Identity, IdentityError> {
        let envelope = Envelope { token: Some(token.to_owned()), ..Envelope::default() };
        let identity = self.identify(&envelope);
        // Where an identity is needed the answer is the same.
        assert_eq!(identity, self.require(&envelope));
        identity.map(|identity| identity.expect("a token that comes to nothing"))
    }

    /// The actor of a good token with these claims.
    #[track_caller]
    pub fn accepts(&self, what: &str, token: &str) -> Actor {
        match self.token(token) {
            Ok(Identity { actor, via: Via::Token }) => actor,
            other => panic!("{what}: {other:?}"),
        }
    }

    /// Asserts a refusal for that reason, or else another check than the one under test made it.
    #[track_caller]
    pub fn refuses(&self, what: &str, token: &str, reason: &str) {
        match self.token(token) {
            Err(IdentityError::Unauthenticated(said)) => assert!(said.contains(reason), "{what}: {said}"),
            other => panic!("{what}: {other:?}"),
        }
    }

    /// The actor of unsigned claims.
    #[track_caller]
    pub fn claimed(&self, claims: Value) -> Actor {
        let envelope = Envelope { claims: Some(object(claims)), ..Envelope::default() };
        match self.identify(&envelope) {
            Ok(Some(Identity { actor, via: Via::Claims })) => actor,
            other => panic!("{other:?}"),
        }
    }
}

/// An OpenID Connect configuration with these members too.
pub fn config(members: Value) -> Value {
    let mut all = json!({"issuer": ISSUER, "audience": AUDIENCE});
    all.as_object_mut().unwrap().extend(object(members));
    all
}

/// Writes both files and loads them; `None` is a file that is not named.
pub fn load(oidc: Option<(&str, &str)>, rbac: Option<(&str, &str)>) -> Result<Gatekeeper, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let written = |file: Option<(&str, &str)>| file.map(|(name, content)| write(&folder, name, content));
    Gatekeeper::load(written(oidc).as_deref(), written(rbac).as_deref())
}

fn write(folder: &TempDir, name: &str, content: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// Whether it is a refusal that an HTTP server answers with 401.
pub fn unauthenticated(identity: &Result<Option<Identity>, IdentityError>) -> bool {
    matches!(identity, Err(IdentityError::Unauthenticated(_)))
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
