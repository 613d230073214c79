//! The policy decision point: normalise, collect facts, ask every pack, combine, stamp.
//!
//! Every path ends in a decision record or in an error; the only way to `allow` is a finding that says so.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cavra_builtin::POLICY_RULES;
use cavra_model::{
    Action, Context, Decided, DecisionRecord, Facts, FileAccess, Finding, McpRegistry, McpToolCall, PackName, Subject,
    Timestamp, UNVERIFIED_PACK, combine, judge_agent, judge_mcp_call, stamp,
};
use cavra_normalize::{ActionRequest, Surroundings};
use cavra_packs::{CallBounds, PackLibrary, ResolvedPack};
use cavra_plugins::{Origin, PackSource, PluginError, PluginErrorKind, PluginHost, PolicyPack, Within};
use cavra_surroundings::Guard;

use crate::attributes::Attributes;
use crate::told::{is_of_fetch, told};
use crate::{At, CoreError, DecisionRequest, Redactor};

/// Decides actions. Stores nothing.
#[derive(Clone)]
pub struct DecisionPoint {
    library: PackLibrary,
    plugins: PluginHost,
    redactor: Redactor,
}

/// A decision and what it was made with.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The stamped record.
    pub record: DecisionRecord,
    /// The normalised action, the exact input of the packs.
    pub action: Action,
}

impl DecisionPoint {
    /// Decides with the packs of `library` in the sandboxes of `plugins`.
    #[must_use]
    pub fn new(library: PackLibrary, plugins: PluginHost) -> Self {
        Self { library, plugins, redactor: Redactor::default() }
    }

    /// With another redactor than the one that is on.
    #[must_use]
    pub fn with_redactor(self, redactor: Redactor) -> Self {
        Self { redactor, ..self }
    }

    /// The packs.
    #[must_use]
    pub fn library(&self) -> &PackLibrary {
        &self.library
    }

    /// The sandboxes.
    #[must_use]
    pub fn plugins(&self) -> &PluginHost {
        &self.plugins
    }

    /// The pack a request names, or the default pack.
    ///
    /// # Errors
    /// [`CoreError::NotFound`] or [`CoreError::Pack`].
    pub fn pack(&self, name: Option<&PackName>) -> Result<Arc<ResolvedPack>, CoreError> {
        Ok(self.library.resolve(name.unwrap_or(&PackName::default()))?)
    }

    /// Decides `request` by `pack`.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for an action that cannot be normalised, [`CoreError::BrokenPack`] for a pack that
    /// cannot be loaded. A pack that fails while it is asked yields a block, not an error.
    pub async fn decide(
        &self,
        request: DecisionRequest,
        pack: &ResolvedPack,
        registry: McpRegistry,
    ) -> Result<Verdict, CoreError> {
        let started = Instant::now();
        let context = &request.context;
        let correlation = context.correlation_id.as_deref().unwrap_or_default();
        for (member, id) in [
            ("session_id", context.session_id.as_str()),
            ("agent_id", &context.agent_id),
            ("correlation_id", correlation),
        ] {
            self.redactor.identifier(member, id)?;
        }
        let action = normalized(request.action, &request.at, pack)?;
        let facts = facts(&request.context, registry, request.attributes.with_place(&request.at));
        let finding = self.judge(&action, &facts, pack).await?;
        metrics::counter!("cavra_decisions_total", "decision" => finding.outcome.as_str()).increment(1);
        if finding.rule_id == UNVERIFIED_PACK {
            metrics::counter!("cavra_policy_signature_blocks_total").increment(1);
        }
        metrics::histogram!("cavra_decision_seconds").record(started.elapsed().as_secs_f64());
        let attributes = facts.attributes.into_iter().collect();
        let decided =
            Decided { subject: Subject::of(&action, &facts.mcp_registry), finding, now: facts.now, attributes };
        let record = self.stamped(decided, under(pack, request.context))?;
        Ok(Verdict { record, action })
    }

    /// The strictest finding of everybody who is asked about `action`: the pack, its parents and the registry.
    /// The same action, facts and pack always give the same finding.
    ///
    /// # Errors
    /// [`CoreError::BrokenPack`] for a pack that cannot be loaded.
    pub async fn judge(&self, action: &Action, facts: &Facts, pack: &ResolvedPack) -> Result<Finding, CoreError> {
        if let Some(finding) = unverified(pack) {
            return Ok(finding);
        }
        self.judge_by(sources(pack), action, facts).await.map_err(|error| broken(pack, error))
    }

    /// As [`DecisionPoint::judge`], by components at hand.
    ///
    /// # Errors
    /// [`PluginError`] for the first one that cannot be loaded.
    pub(crate) async fn judge_by<'a>(
        &self,
        sources: impl Iterator<Item = PackSource<'a>>,
        action: &Action,
        facts: &Facts,
    ) -> Result<Finding, PluginError> {
        let mut findings = Vec::new();
        let bare = without_content(action);
        let implied = implied(&bare, facts);
        let told = told(action).unwrap_or_else(|unread| {
            findings.push(unread);
            Vec::new()
        });
        for source in sources {
            let is_of_rules = matches!(source.origin, Origin::FirstParty);
            // Rules are not about contents, so a content of any size is no reason to refuse.
            let action = if is_of_rules { &*bare } else { action };
            match self.plugins.policy_pack(source).await {
                Ok(component) => {
                    for action in std::iter::once(action).chain(&implied) {
                        findings.extend(ask(&component, action, facts).await);
                    }
                    for told in told.iter().filter(|told| is_of_rules || !told.is_fetch) {
                        let about = ask(&component, &told.action, facts).await;
                        findings.extend(about.into_iter().filter_map(|finding| told.of_call(finding)));
                    }
                }
                Err(error) if matches!(error.kind(), PluginErrorKind::Busy) => findings.push(engine_error(&error)),
                Err(error) => return Err(error),
            }
        }
        if let Action::McpToolCall(call) = action {
            findings.extend(judge_mcp_call(&facts.mcp_registry, call));
        }
        findings.extend(judge_agent(&facts.agent_id, &facts.attributes));
        Ok(combine(findings))
    }

    /// The decision about a pull request that an agent is about to create: allowed, with an attestation. Contract
    /// 10, section 4.5.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if the decision is no JSON.
    pub fn attest_pull_request(
        &self,
        target: &str,
        pack: &ResolvedPack,
        (context, attributes): (Context, Attributes),
    ) -> Result<DecisionRecord, CoreError> {
        let finding = Finding::pull_request_attestation();
        self.found(Subject::pull_request(target), finding, pack, (context, attributes))
    }

    /// The decision about an address that an agent fetches: what the rules about its host, or the file it names, say; that
    /// no rule is about it is no objection.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for an address that cannot be judged, [`CoreError::BrokenPack`].
    pub async fn fetch(
        &self,
        address: &str,
        pack: &ResolvedPack,
        (context, attributes): (Context, Attributes),
    ) -> Result<DecisionRecord, CoreError> {
        let action = cavra_normalize::fetch(address)?;
        let facts = facts(&context, McpRegistry::NotConsulted, attributes.clone());
        let mut findings = Vec::new();
        if let Some(rules) = interpreter(pack) {
            let rules = self.plugins.policy_pack(rules).await.map_err(|error| broken(pack, error))?;
            findings = ask(&rules, &action, &facts).await;
            findings.retain(is_of_fetch);
        }
        let finding = if findings.is_empty() { Finding::no_rule_about_address() } else { combine(findings) };
        self.found(Subject::address(address), finding, pack, (context, attributes))
    }

    /// The decision about something that no action stands for: what was found about it, unless the pack decides nothing or
    /// the agent may not act.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if the decision is no JSON.
    pub fn found(
        &self,
        subject: Subject,
        finding: Finding,
        pack: &ResolvedPack,
        (context, attributes): (Context, Attributes),
    ) -> Result<DecisionRecord, CoreError> {
        let attributes = attributes.sorted();
        let standing = judge_agent(&context.agent_id, &attributes);
        let finding =
            unverified(pack).unwrap_or_else(|| combine([Some(finding), standing].into_iter().flatten().collect()));
        let attributes = attributes.into_iter().collect();
        let decided = Decided { subject, finding, now: Timestamp::now(), attributes };
        self.stamped(decided, under(pack, context))
    }

    /// The record of a decision, without secrets: the one place where records come from.
    fn stamped(&self, decided: Decided, context: Context) -> Result<DecisionRecord, CoreError> {
        let mut record = stamp(decided, context)?;
        self.redactor.decision(&mut record)?;
        Ok(record)
    }

    /// Loads every component of `pack` without asking it anything.
    ///
    /// # Errors
    /// [`CoreError::BrokenPack`] for the first one that cannot be loaded.
    pub async fn load(&self, pack: &ResolvedPack) -> Result<(), CoreError> {
        for source in sources(pack) {
            self.plugins.policy_pack(source).await.map_err(|error| broken(pack, error))?;
        }
        Ok(())
    }
}

/// Everything that has to be asked for one pack: the rule interpreter over the merged document, and the components
/// that the pack and its parents bring along.
pub(crate) fn sources(pack: &ResolvedPack) -> impl Iterator<Item = PackSource<'_>> {
    interpreter(pack).into_iter().chain(components(pack))
}

/// The rule interpreter over the merged document.
fn interpreter(pack: &ResolvedPack) -> Option<PackSource<'_>> {
    pack.has_rules.then(|| PackSource {
        plugin: POLICY_RULES.name,
        version: POLICY_RULES.version,
        wasm: POLICY_RULES.wasm,
        wasm_digest: POLICY_RULES.digest,
        document: &pack.canonical,
        document_digest: pack.digest.as_str(),
        origin: Origin::FirstParty,
        within: Within::default(),
    })
}

/// The components that the pack and its parents bring along.
pub(crate) fn components(pack: &ResolvedPack) -> impl Iterator<Item = PackSource<'_>> {
    pack.components.iter().map(|component| PackSource {
        plugin: &component.pack,
        version: &component.version,
        wasm: &component.wasm,
        wasm_digest: component.digest.as_str(),
        document: &pack.canonical,
        document_digest: pack.digest.as_str(),
        origin: Origin::Operator,
        within: within(component.bounds),
    })
}

/// The bounds of a component in the words of the runtime.
pub(crate) fn within(CallBounds { memory_mib, time_ms }: CallBounds) -> Within {
    let bytes = |mib: u64| usize::try_from(mib.saturating_mul(1 << 20)).unwrap_or(usize::MAX);
    Within { memory_bytes: memory_mib.map(bytes), evaluate_time: time_ms.map(Duration::from_millis) }
}

/// Other readings of an action, asked about as well. The strictest finding counts, so they can only add to what is found.
///
/// A git operation can be about more branches than the one that is derived. A registered MCP server has two names, and
/// blocking it under either of them blocks it (docs/reference/decisions-and-policy.md, section 4.4).
fn implied(action: &Action, facts: &Facts) -> Vec<Action> {
    match (action, &facts.mcp_registry) {
        (Action::GitOperation(operation), _) => {
            cavra_normalize::further_operations(operation).into_iter().map(Action::GitOperation).collect()
        }
        (Action::McpToolCall(call), McpRegistry::Registered(entry)) => [&entry.server_id, &entry.name]
            .into_iter()
            .filter(|name| !name.is_empty() && **name != call.server)
            .map(|name| Action::McpToolCall(McpToolCall { server: name.clone(), ..call.clone() }))
            .collect(),
        _ => Vec::new(),
    }
}

/// The action as far as rules are about it.
fn without_content(action: &Action) -> Cow<'_, Action> {
    match action {
        Action::WriteFile(FileAccess { path, content: Some(_) }) => {
            Cow::Owned(Action::WriteFile(FileAccess { path: path.clone(), content: None }))
        }
        Action::McpToolCall(McpToolCall { server, tool, capability, arguments: Some(_) }) => {
            let (server, tool, capability) = (server.clone(), tool.clone(), capability.clone());
            Cow::Owned(Action::McpToolCall(McpToolCall { server, tool, capability, arguments: None }))
        }
        _ => Cow::Borrowed(action),
    }
}

async fn ask(component: &PolicyPack, action: &Action, facts: &Facts) -> Vec<Finding> {
    match component.evaluate(action, facts).await {
        Ok(findings) => findings,
        Err(error) => vec![engine_error(&error)],
    }
}

/// A pack that fails while it is asked blocks. docs/reference/decisions-and-policy.md, section 15.2.
fn engine_error(error: &PluginError) -> Finding {
    tracing::error!(error = error as &dyn std::error::Error, "policy pack failed; the action is blocked");
    Finding::engine_error(error.to_string())
}

/// A pack that is not as it was published decides nothing, and neither does one that inherits it.
fn unverified(pack: &ResolvedPack) -> Option<Finding> {
    pack.unverified.first().map(|unverified| Finding::unverified_pack(unverified.to_string()))
}

pub(crate) fn broken(pack: &ResolvedPack, error: PluginError) -> CoreError {
    tracing::error!(error = &error as &dyn std::error::Error, pack = pack.name, "policy pack cannot be loaded");
    CoreError::BrokenPack { pack: pack.name.clone(), problem: error.to_string(), source: Some(Box::new(error)) }
}

/// `context` with the policy that decided.
fn under(pack: &ResolvedPack, context: Context) -> Context {
    Context {
        policy_pack: pack.name.clone(),
        pack_version: pack.version.clone(),
        policy_digest: Some(pack.digest.to_string()),
        component_digests: Some(sources(pack).map(|source| source.wasm_digest.to_owned()).collect()),
        ..context
    }
}

pub(crate) fn facts(context: &Context, mcp_registry: McpRegistry, attributes: Attributes) -> Facts {
    Facts {
        now: Timestamp::now(),
        session_id: context.session_id.clone(),
        agent_id: context.agent_id.clone(),
        actor: context.actor.clone(),
        repository: context.repository.clone(),
        mcp_registry,
        attributes: attributes.sorted(),
    }
}

/// The action, with what the place says where it would happen.
fn normalized(request: ActionRequest, at: &At, pack: &ResolvedPack) -> Result<Action, CoreError> {
    match at {
        At::Repository => normalized_in(request, Surroundings::unknown(), pack),
        At::Directory(directory) => {
            let named = NamedDirectory::new(directory);
            normalized_in(request, named.surroundings(), pack)
        }
        At::Here(here) => {
            let guarded = here.guarded(Guard::of(&pack.document));
            let action = normalized_in(request, guarded.surroundings(), pack)?;
            Ok(with_branch(action, &guarded.surroundings()))
        }
    }
}

/// The action in these surroundings, with the programs that the policy describes.
fn normalized_in(
    request: ActionRequest,
    surroundings: Surroundings<'_>,
    pack: &ResolvedPack,
) -> Result<Action, CoreError> {
    Ok(cavra_normalize::normalize_in(request, &Surroundings { programs: &pack.programs, ..surroundings })?)
}

/// A push that names no branch pushes the one that is checked out.
fn with_branch(action: Action, surroundings: &Surroundings<'_>) -> Action {
    let Action::GitOperation(push) = &action else { return action };
    if !push.is_push || !matches!(push.branch_path.as_str(), "" | "HEAD" | "@") {
        return action;
    }
    match surroundings.disk.and_then(|disk| disk.head(surroundings.directory)) {
        Some(branch) => Action::GitOperation(cavra_normalize::git_operation(&push.operation, &branch)),
        None => action,
    }
}

/// A directory of which only the name is known. A relative one lies in the repository, whose root has no name here.
struct NamedDirectory {
    directory: String,
    roots: Vec<String>,
}

/// Stands for the root of a repository that lies on another machine.
const SOME_ROOT: &str = "/\u{2026}";

impl NamedDirectory {
    fn new(directory: &str) -> Self {
        if directory.starts_with('/') {
            return Self { directory: directory.to_owned(), roots: Vec::new() };
        }
        let below = cavra_normalize::clean_path(&format!("{SOME_ROOT}/{directory}"));
        let directory = below.unwrap_or_else(|_| directory.to_owned());
        Self { directory, roots: vec![SOME_ROOT.to_owned()] }
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { directory: &self.directory, roots: &self.roots, ..Surroundings::unknown() }
    }
}
