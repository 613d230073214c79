//! What messaging and ticket systems would be told about an approval, for those who send it themselves.

use cavra_connect::{Preview, Provider, preview_approval};
use cavra_model::Object;
use cavra_plugins::PluginHost;
use serde_json::{Value, json};

use crate::CoreError;

/// The messages about an approval, for one provider or for `all`, by name.
///
/// # Errors
/// [`CoreError::BadRequest`] for an unknown provider, [`CoreError::Unavailable`].
pub async fn approval_messages(
    plugins: &PluginHost,
    record: &Object,
    provider: &str,
) -> Result<Vec<(&'static str, Value)>, CoreError> {
    let previews = previews(plugins, record, provider).await?;
    Ok(previews.into_iter().map(|(provider, preview)| (provider, preview.body)).collect())
}

/// The requests that would carry the messages, with stand-ins for addresses and credentials.
///
/// # Errors
/// As [`approval_messages`].
pub async fn approval_requests(
    plugins: &PluginHost,
    record: &Object,
    provider: &str,
) -> Result<Vec<(&'static str, Value)>, CoreError> {
    let request = |(provider, preview): (&'static str, Preview)| {
        let mut headers = json!({ "content-type": "application/json" });
        if let (Some(value), Value::Object(headers)) = (preview.authorization, &mut headers) {
            headers.insert("authorization".to_owned(), json!(value));
        }
        (provider, json!({ "method": "POST", "url": preview.url, "headers": headers, "body": preview.body }))
    };
    Ok(previews(plugins, record, provider).await?.into_iter().map(request).collect())
}

async fn previews(
    plugins: &PluginHost,
    record: &Object,
    name: &str,
) -> Result<Vec<(&'static str, Preview)>, CoreError> {
    let known: Vec<Provider> = Provider::ALL.into_iter().filter(|provider| provider.takes_approvals()).collect();
    let chosen: Vec<Provider> =
        known.iter().copied().filter(|provider| name == "all" || provider.as_str() == name).collect();
    if chosen.is_empty() {
        let names = known.iter().map(|provider| provider.as_str()).collect::<Vec<_>>().join(", ");
        return Err(CoreError::BadRequest(format!("unknown provider; known are {names}, all")));
    }
    let mut previews = Vec::new();
    for provider in chosen {
        previews.push((provider.as_str(), preview_approval(plugins, provider, record).await?));
    }
    Ok(previews)
}
