//! What is said in the chat about a press: to the one who pressed, and in place of the message.

use std::time::Duration;

use cavra_model::{ChatService, Object};
use cavra_plugins::connector::Subject;
use serde_json::{Value, json};
use url::{Host, Url};

use super::{Press, provider};
use crate::address::Grant;
use crate::conversation::{Message, tell};
use crate::message::new_id;
use crate::target::Target;
use crate::{Connectors, Secret};

/// Where Slack takes what replaces a message, besides the host that the operator's address names.
const REPLIES: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];

/// Time for it.
const LIMIT: Duration = Duration::from_secs(10);

/// What is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A sentence, to the one who pressed.
    Sentence(String),
    /// The approval as it is now, in place of the message.
    Approval(Object),
}

impl Press {
    /// A sentence in the form in which the service shows it to the one who pressed.
    #[must_use]
    pub fn said(&self, sentence: &str) -> Value {
        match self.service {
            ChatService::Slack => json!({ "response_type": "ephemeral", "replace_original": false, "text": sentence }),
            ChatService::Teams => json!({ "type": "message", "text": sentence }),
        }
    }
}

impl Connectors {
    /// Replies to a press where its service asks for replies; Slack shows what it is sent there and nothing of the answer to
    /// the press itself. Whether it arrives changes nothing: what was decided is decided.
    pub async fn reply(&self, press: &Press, reply: Reply) {
        let Some(reply_to) = &press.reply_to else { return };
        let subject = match reply {
            Reply::Sentence(sentence) => Subject::Document(press.said(&sentence).to_string()),
            Reply::Approval(mut record) => {
                if let Some(answers) = self.answers(provider(press.service), &record) {
                    record.insert("answers".to_owned(), answers);
                }
                record.insert("replaces".to_owned(), json!(true));
                Subject::Approval(Value::Object(record).to_string())
            }
        };
        let service = press.service.as_str();
        let Some(target) = self.reply_target(press, reply_to).await else {
            tracing::warn!(service, "a reply is not sent: its address is none of the service's");
            return;
        };
        let message = Message { id: new_id(), subject, happened: None };
        if let Some(error) = tell(self.outbound(), &target, &message, LIMIT).await.error {
            tracing::warn!(service, error, "a reply did not arrive");
        }
    }

    /// The operator's entry with the service's address in place of his, and without what lets messages in there.
    async fn reply_target(&self, press: &Press, reply_to: &Secret) -> Option<Target> {
        let url: Url = reply_to.expose().parse().ok()?;
        let target = self.target(provider(press.service)).await.ok()?;
        let is_known = url.scheme() == "https"
            && url.port().is_none()
            && matches!(url.host(), Some(Host::Domain(host)) if REPLIES.contains(&host));
        if !is_known && url.origin() != target.first()?.url.origin() {
            return None;
        }
        // Only of the operator's own address he may have said that it is private.
        let grant = Grant { host: url.host()?.to_owned(), private: !is_known && target.first()?.grant.private };
        Some(target.without_access(url, grant))
    }
}
