//! The peers: warm, in process, without a sandbox.

use anyhow::{Context as _, anyhow};
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use serde_json::json;

use crate::rules;

/// Something that answers whether a path may be written.
pub trait Peer {
    /// Name and version line of the table.
    fn name(&self) -> &'static str;
    /// True if it may.
    fn allows(&mut self, path: &str) -> anyhow::Result<bool>;
}

/// `cedar-policy`.
pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
}

impl Cedar {
    /// With `n` rules.
    pub fn new(n: usize) -> anyhow::Result<Self> {
        Ok(Self {
            authorizer: Authorizer::new(),
            policies: rules::cedar(n).parse().map_err(|error| anyhow!("{error}"))?,
            entities: Entities::empty(),
            principal: r#"Agent::"claude""#.parse().map_err(|error| anyhow!("{error}"))?,
            action: r#"Action::"write_file""#.parse().map_err(|error| anyhow!("{error}"))?,
            resource: r#"File::"file""#.parse().map_err(|error| anyhow!("{error}"))?,
        })
    }
}

impl Peer for Cedar {
    fn name(&self) -> &'static str {
        "cedar-policy 4"
    }

    fn allows(&mut self, path: &str) -> anyhow::Result<bool> {
        let context = Context::from_json_value(json!({ "path": path }), None).map_err(|error| anyhow!("{error}"))?;
        let request = Request::new(self.principal.clone(), self.action.clone(), self.resource.clone(), context, None)
            .map_err(|error| anyhow!("{error}"))?;
        let answer = self.authorizer.is_authorized(&request, &self.policies, &self.entities);
        Ok(answer.decision() == Decision::Allow)
    }
}

/// `regorus`.
pub struct Regorus(regorus::Engine);

impl Regorus {
    /// With `n` rules.
    pub fn new(n: usize) -> anyhow::Result<Self> {
        let mut engine = regorus::Engine::new();
        engine.add_policy("cavra.rego".to_owned(), rules::REGO.to_owned())?;
        engine.add_data(regorus::Value::from_json_str(&rules::rego_data(n).to_string())?)?;
        Ok(Self(engine))
    }
}

impl Peer for Regorus {
    fn name(&self) -> &'static str {
        "regorus 0.14"
    }

    fn allows(&mut self, path: &str) -> anyhow::Result<bool> {
        self.0.set_input(regorus::Value::from_json_str(&json!({ "path": path }).to_string())?);
        let answer = self.0.eval_rule("data.cavra.decision".to_owned())?;
        Ok(answer.as_string().context("no decision")?.as_ref() == "allow")
    }
}
