//! API tokens of machines: agents, CI, dashboards. The store holds hashes only; a token is shown once, when it is made.
//! A token names a machine and what it may call, never a person: it decides no approval.

use cavra_identity::{ApiToken, Scope};
use cavra_model::{API_TOKENS, Object, Timestamp};
use cavra_store::{Query, RecordStore, StoreError, Transaction, Unreadable};
use serde_json::{Value, json};

use crate::{CoreError, check_id};

/// Most tokens in a list.
const LIST_LIMIT: u64 = 1000;

/// The token store.
#[derive(Clone)]
pub struct ApiTokens {
    store: RecordStore,
}

/// A caller that came with a valid API token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Name of its token.
    pub name: String,
}

impl ApiTokens {
    /// Over an open store that knows [`API_TOKENS`].
    #[must_use]
    pub fn new(store: RecordStore) -> Self {
        Self { store }
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &RecordStore {
        &self.store
    }

    /// Makes a token for `scopes` that lasts `ttl_hours`; answers the text, which nobody can ask for again, and the
    /// record.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`], [`CoreError::Store`].
    pub async fn create(&self, name: &str, scopes: &[Scope], ttl_hours: u64) -> Result<(String, Object), CoreError> {
        check_id("name", name)?;
        if name.trim().is_empty() || scopes.is_empty() {
            return Err(CoreError::BadRequest("a token needs a name and at least one scope".to_owned()));
        }
        let token = ApiToken::generate()?;
        let now = Timestamp::now();
        let scopes: Vec<_> = Scope::ALL.into_iter().filter(|scope| scopes.contains(scope)).map(Scope::as_str).collect();
        let record = json!({
            "schema_version": "cavra.api_token.v1",
            "token_id": token.id,
            "name": name,
            "secret_sha256": token.secret_sha256,
            "scopes": scopes,
            "state": "active",
            "created_at": now,
            "expires_at": now.plus_hours(ttl_hours),
        });
        let Value::Object(record) = record else { return Err(CoreError::BadRequest("no token".to_owned())) };
        let stored = record.clone();
        self.store.transact(move |tx| tx.insert(&API_TOKENS, stored.clone())).await?;
        Ok((token.text, public(record)))
    }

    /// All tokens, newest first, without their hashes.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn list(&self) -> Result<Vec<Object>, CoreError> {
        let query = Query { limit: LIST_LIMIT, unreadable: Unreadable::Skip, ..Query::default() };
        Ok(self.store.list(&API_TOKENS, query).await?.items.into_iter().map(public).collect())
    }

    /// Ends a token; ending it again changes nothing.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Store`].
    pub async fn revoke(&self, id: &str) -> Result<Object, CoreError> {
        let id = id.to_owned();
        let change = move |tx: &mut dyn Transaction| {
            let Some(mut record) = tx.get(&API_TOKENS, &id)? else { return Ok(None) };
            if record.get("state").and_then(Value::as_str) != Some("revoked") {
                record.insert("state".to_owned(), json!("revoked"));
                record.insert("revoked_at".to_owned(), json!(Timestamp::now()));
                tx.put(&API_TOKENS, record.clone())?;
            }
            Ok(Some(record))
        };
        self.store.transact(change).await?.map(public).ok_or(CoreError::NotFound(API_TOKENS.name))
    }

    /// The machine behind a token that may call endpoints of `scope`.
    ///
    /// # Errors
    /// [`CoreError::Unauthenticated`] for a token that is none, was revoked or ran out, all in the same words;
    /// [`CoreError::Forbidden`] for another scope; [`CoreError::Store`].
    pub async fn authenticate(&self, text: &str, scope: Scope) -> Result<Machine, CoreError> {
        let refused = || CoreError::Unauthenticated("the API token is not valid".to_owned());
        let (id, secret) = ApiToken::parse(text).ok_or_else(refused)?;
        let record = match self.store.get(&API_TOKENS, &id).await {
            // It lets nobody in, and whoever is not in learns nothing about it.
            Err(StoreError::Broken { .. }) | Ok(None) => return Err(refused()),
            Ok(Some(record)) => record,
            Err(error) => return Err(error.into()),
        };
        let of = |member: &str| record.get(member).and_then(Value::as_str).unwrap_or_default();
        let lasts = of("expires_at").parse::<Timestamp>().is_ok_and(|expires| Timestamp::now() < expires);
        if !ApiToken::verify(secret, of("secret_sha256")) || of("state") != "active" || !lasts {
            return Err(refused());
        }
        let scopes = record.get("scopes").and_then(Value::as_array);
        if !scopes.is_some_and(|scopes| scopes.iter().any(|granted| granted.as_str() == Some(scope.as_str()))) {
            return Err(CoreError::Forbidden(format!("the API token lacks the scope {}", scope.as_str())));
        }
        Ok(Machine { name: of("name").to_owned() })
    }
}

/// A record as it is shown.
fn public(mut record: Object) -> Object {
    record.remove("secret_sha256");
    record
}
