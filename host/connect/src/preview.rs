//! What a system would be told, without an address, a credential or a word on the wire: for those who send it by other means.

use cavra_model::{Object, Timestamp};
use cavra_plugins::PluginHost;
use cavra_plugins::connector::{Context, Moment, Next, Subject};
use serde_json::{Value, json};

use crate::given::scheme;
use crate::plug::Plug;
use crate::{DeliveryError, Provider};

/// A request with stand-ins for what only the operator's file has.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// An address as an example.
    pub url: String,
    /// What would stand in `authorization`, with the name of a variable in place of the secret; `None` where none is needed.
    pub authorization: Option<String>,
    /// The body.
    pub body: Value,
}

/// What a system would be told about an approval.
///
/// # Errors
/// [`DeliveryError::Component`].
pub async fn preview_approval(
    plugins: &PluginHost,
    provider: Provider,
    record: &Object,
) -> Result<Preview, DeliveryError> {
    let plug = Plug::of_the_binary(plugins, provider).await?;
    let now = Timestamp::now();
    let context = Context {
        message_id: String::new(),
        now: Moment { micros: now.as_micros(), text: now.to_string() },
        happened: None,
        connector: provider.as_str().to_owned(),
        settings: Vec::new(),
        credentials: Vec::new(),
        paths: Vec::new(),
    };
    let problem = |what: &str| DeliveryError::Component(format!("connector {provider}: {what}"));
    let subject = Subject::Approval(json!(record).to_string());
    let step = plug.connector().step(&subject, &context, &[]).await;
    let Next::Send(requests) = step.map_err(|error| DeliveryError::Component(error.to_string()))? else {
        return Err(problem("it would send nothing"));
    };
    let body = requests.first().and_then(|request| serde_json::from_slice(&request.body).ok());
    let credential = plug.description().credentials.iter().find(|credential| credential.required);
    let stand_in = |scheme: &str| format!("{scheme} ${{{}_TOKEN}}", provider.as_str().to_uppercase());
    Ok(Preview {
        url: plug.description().endpoints.first().map(|endpoint| endpoint.example.clone()).unwrap_or_default(),
        authorization: credential.and_then(scheme).map(stand_in),
        body: body.ok_or_else(|| problem("it would send no JSON"))?,
    })
}
