//! What an agent is told about a decision. "No objection" and "permission" are two answers: a permission skips the agent's
//! own rules and prompts, so it is given only where a rule of the policy or an approval permits; where nothing speaks, the
//! agent goes on as if there were no hook.

use cavra_model::{DecisionRecord, NO_RULE_ABOUT_ADDRESS, Outcome};
use serde_json::{Value, json};

/// Rules that say that nothing was found against an action. They permit nothing.
const NO_OBJECTION: [&str; 4] = ["filesystem.read.allow", "filesystem.write.allow", "git.allow", NO_RULE_ABOUT_ADDRESS];

/// The four things an agent can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The agent's own rules apply.
    NoObjection,
    /// Do it, without asking.
    Allow,
    /// Ask a person first.
    Ask,
    /// Do not do it.
    Deny,
}

/// What is known of an agent's hook.
pub struct AgentHook {
    /// The agent as records name it.
    pub agent: &'static str,
    /// Modes in which a prompt of the hook reaches a person. In any other one nobody may be asked. An event that names none
    /// comes from an agent that has no modes.
    asking_modes: &'static [&'static str],
    /// Ways to start the agent with nobody in front of it.
    unattended: &'static [&'static str],
    /// The agent's own form of an answer.
    form: fn(Told, &str) -> Value,
    /// Exit code that refuses whatever became of the answer.
    pub refusal_code: u8,
    /// Longest reason the agent takes, in characters.
    reason_limit: usize,
}

/// Claude Code's `PreToolUse`.
pub static CLAUDE_CODE: AgentHook = AgentHook {
    agent: "claude-code",
    // `bypassPermissions`, `dontAsk` and `auto` do not ask; some versions take `ask` for `allow` there.
    asking_modes: &["default", "plan", "acceptEdits"],
    unattended: &["sdk-cli", "claude-code-github-action"],
    form: |told, reason| {
        let decision = match told {
            Told::NoObjection => return json!({}),
            Told::Allow => "allow",
            Told::Ask => "ask",
            Told::Deny => "deny",
        };
        json!({
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": decision,
                "permissionDecisionReason": reason,
            }
        })
    },
    refusal_code: 2,
    reason_limit: 10_000,
};

/// An answer as it is given.
#[derive(Debug)]
pub struct Reply {
    /// What is printed.
    pub text: String,
    /// Why, if it is a refusal.
    pub refusal: Option<String>,
    told: Told,
}

impl Reply {
    /// Whether it changes nothing if nobody reads it.
    pub fn is_empty(&self) -> bool {
        self.told == Told::NoObjection
    }
}

/// Whether somebody can be asked when the event happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attended<'a> {
    /// A person sees a prompt.
    Yes,
    /// Nobody does, in this mode.
    No(&'a str),
}

impl AgentHook {
    /// Whether somebody can be asked in this mode of an agent that was started in this way.
    pub fn attended<'a>(&self, mode: Option<&'a str>, started_as: Option<&'a str>) -> Attended<'a> {
        match (mode, started_as) {
            (_, Some(way)) if self.unattended.contains(&way) => Attended::No(way),
            (Some(mode), _) if !self.asking_modes.contains(&mode) => Attended::No(mode),
            _ => Attended::Yes,
        }
    }

    /// The answer `told` with its reason.
    pub fn reply(&self, told: Told, reason: &str) -> Reply {
        let reason: String = reason.chars().take(self.reason_limit).collect();
        let text = (self.form)(told, &reason).to_string();
        Reply { text, refusal: (told == Told::Deny).then_some(reason), told }
    }

    /// A refusal.
    pub fn refusal(&self, reason: &str) -> Reply {
        self.reply(Told::Deny, reason)
    }

    /// The answer that a person has to approve: a prompt where somebody sees it, else a refusal that says how the approval
    /// is come by.
    pub fn approval(&self, attended: Attended<'_>, reason: &str, way: &str) -> Reply {
        match attended {
            Attended::Yes => self.reply(Told::Ask, reason),
            Attended::No(mode) => self.refusal(&format!("{reason}. Nobody can be asked in mode `{mode}`: {way}")),
        }
    }
}

/// Whether a rule of the policy or an approval permits the action.
pub fn permits(record: &DecisionRecord) -> bool {
    let allowed = matches!(record.effective(), Outcome::Allow | Outcome::AllowWithAttestation);
    allowed && (record.approval.is_some() || !NO_OBJECTION.contains(&record.rule_id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row for each mode that is known, and what is not.
    #[test]
    fn who_can_be_asked() {
        for (mode, started_as, asked) in [
            (Some("default"), None, true),
            (Some("default"), Some("cli"), true),
            (Some("default"), Some("claude-vscode"), true),
            (Some("default"), Some("sdk-cli"), false),
            (Some("plan"), None, true),
            (Some("acceptEdits"), None, true),
            (Some("auto"), None, false),
            (Some("dontAsk"), None, false),
            (Some("bypassPermissions"), None, false),
            (Some("Default"), None, false),
            (Some("somethingNew"), None, false),
            (Some(""), None, false),
            (None, None, true),
            (None, Some("sdk-cli"), false),
        ] {
            let attended = CLAUDE_CODE.attended(mode, started_as);
            assert_eq!(attended == Attended::Yes, asked, "{mode:?} {started_as:?}");
            let reply = CLAUDE_CODE.approval(attended, "because", "the way");
            assert_eq!(reply.text.contains("\"ask\""), asked);
            assert_eq!(reply.refusal.is_some_and(|reason| reason.contains("the way")), !asked);
        }
    }

    #[test]
    fn what_claude_code_is_told() {
        let said = |told| CLAUDE_CODE.reply(told, "because").text;
        assert_eq!(said(Told::NoObjection), "{}");
        for (told, word) in [(Told::Allow, "allow"), (Told::Ask, "ask"), (Told::Deny, "deny")] {
            let answer: Value = serde_json::from_str(&said(told)).unwrap();
            assert_eq!(answer["hookSpecificOutput"]["permissionDecision"], word);
        }
        let long = CLAUDE_CODE.refusal(&"ä".repeat(20_000));
        assert_eq!(long.refusal.unwrap().chars().count(), 10_000);
    }
}
