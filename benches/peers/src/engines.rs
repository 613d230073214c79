//! The engines, warm and without a sandbox, with the same rules in the language of each.

use std::fmt::Write as _;

use anyhow::{Context as _, anyhow, bail};
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use regorus::Value;
use serde_json::json;

/// Something that answers whether a path may be written.
pub trait Engine {
    /// Whether the path of the question at that place may be written.
    fn allows(&mut self, question: usize) -> anyhow::Result<bool>;
}

/// The engine of that name, with its rules and its requests made.
pub fn of(name: &str, patterns: &[String], questions: &[String]) -> anyhow::Result<Box<dyn Engine>> {
    // `*` of both engines matches `/` too.
    let patterns: Vec<String> = patterns.iter().map(|pattern| pattern.replace("**/", "*")).collect();
    match name {
        "cedar-policy" => Ok(Box::new(Cedar::new(&patterns, questions)?)),
        "regorus" => Ok(Box::new(Regorus::new(&patterns, questions)?)),
        other => bail!("no engine is called {other}"),
    }
}

struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    requests: Vec<Request>,
}

impl Cedar {
    fn new(patterns: &[String], questions: &[String]) -> anyhow::Result<Self> {
        let mut policies = String::from("permit(principal, action, resource);\n");
        for pattern in patterns {
            writeln!(
                policies,
                "forbid(principal, action == Action::\"write_file\", resource) when {{ context.path like \"{pattern}\" }};"
            )?;
        }
        let request = |path: &String| {
            let context =
                Context::from_json_value(json!({ "path": path }), None).map_err(|error| anyhow!("{error}"))?;
            let uid = |text: &str| text.parse::<EntityUid>().map_err(|error| anyhow!("{error}"));
            Request::new(
                uid(r#"Agent::"claude""#)?,
                uid(r#"Action::"write_file""#)?,
                uid(r#"File::"file""#)?,
                context,
                None,
            )
            .map_err(|error| anyhow!("{error}"))
        };
        Ok(Self {
            authorizer: Authorizer::new(),
            policies: policies.parse().map_err(|error| anyhow!("{error}"))?,
            entities: Entities::empty(),
            requests: questions.iter().map(request).collect::<anyhow::Result<_>>()?,
        })
    }
}

impl Engine for Cedar {
    fn allows(&mut self, question: usize) -> anyhow::Result<bool> {
        let request = self.requests.get(question).context("no such question")?;
        Ok(self.authorizer.is_authorized(request, &self.policies, &self.entities).decision() == Decision::Allow)
    }
}

/// The patterns are data.
const REGO: &str = r#"package cavra
import rego.v1
default decision := "allow"
decision := "block" if {
    some pattern in data.patterns
    glob.match(pattern, null, input.path)
}
"#;

struct Regorus {
    engine: regorus::Engine,
    inputs: Vec<Value>,
}

impl Regorus {
    fn new(patterns: &[String], questions: &[String]) -> anyhow::Result<Self> {
        let mut engine = regorus::Engine::new();
        engine.add_policy("cavra.rego".to_owned(), REGO.to_owned())?;
        engine.add_data(Value::from_json_str(&json!({ "patterns": patterns }).to_string())?)?;
        let input = |path: &String| Value::from_json_str(&json!({ "path": path }).to_string());
        Ok(Self { engine, inputs: questions.iter().map(input).collect::<Result<_, _>>()? })
    }
}

impl Engine for Regorus {
    fn allows(&mut self, question: usize) -> anyhow::Result<bool> {
        self.engine.set_input(self.inputs.get(question).context("no such question")?.clone());
        let answer = self.engine.eval_rule("data.cavra.decision".to_owned())?;
        Ok(answer.as_string().context("no decision")?.as_ref() == "allow")
    }
}
