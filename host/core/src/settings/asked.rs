//! Values of variables, read as what they are.

use std::path::PathBuf;
use std::time::Duration;

use cavra_connect::Network;
use cavra_evidence::Secret;
use cavra_fetch::Token;
use cavra_store::Location;

use super::{ALL, MOST_BYTES, SETTINGS, Without};
use crate::CoreError;
use crate::fields::truth;
use crate::project::Project;

/// Variables, read as what they are; where one is not set, the project says what applies, else its row of [`SETTINGS`].
pub(super) struct Asked<'a> {
    pub(super) lookup: &'a dyn Fn(&str) -> Option<String>,
    pub(super) project: Option<&'a Project>,
}

impl Asked<'_> {
    /// What the environment says.
    pub(super) fn set(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// What somebody said, in the environment or in the project.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        self.set(name).or_else(|| self.project?.value(name, |other| self.set(other).is_some()))
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.given(name).or_else(|| match SETTINGS.iter().find(|setting| setting.name == name)?.default {
            Without::Value(value) => Some(value.to_owned()),
            Without::Nothing(_) => None,
        })
    }

    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(PathBuf::from)
    }

    pub(super) fn network(&self) -> Result<Network, CoreError> {
        let (proxy, hosts) = (self.value("CAVRA_CONNECT_PROXY"), self.value("CAVRA_CONNECT_PROXY_HOSTS"));
        Network::new(proxy.as_deref(), hosts.as_deref(), self.path("CAVRA_CONNECT_CA_FILE"))
            .map_err(|error| CoreError::Configuration(error.to_string()))
    }

    /// Where an area is: in the file that its own variables name, else in the one database, else at its usual place.
    pub(super) fn location(&self, db: &'static str, store: &'static str) -> Result<Location, CoreError> {
        let value = |name: &str| self.given(name).unwrap_or_default();
        match self.placed_by(db, store) {
            Some(name) if name == db => Ok(Location::Sqlite(value(name).into())),
            Some(ALL) => {
                Location::of_url(&value(ALL)).map_err(|error| CoreError::Configuration(format!("{ALL}: {error}")))
            }
            _ => Ok(Location::Json(self.path(store).unwrap_or_default())),
        }
    }

    /// The JSON file of an area, whether or not it is what the area is in: in a project with settings it is that of the
    /// project, from wherever its commands are run.
    pub(super) fn json_file(&self, store: &'static str) -> PathBuf {
        let config = self.project.and_then(|project| project.config.as_ref());
        match (self.set(store), config) {
            (None, Some(config)) => config
                .value(store, |_| false)
                .map_or_else(|| config.root.join(self.path(store).unwrap_or_default()), PathBuf::from),
            (set, _) => set.map(PathBuf::from).or_else(|| self.path(store)).unwrap_or_default(),
        }
    }

    /// The variable that says where an area is.
    pub(super) fn placed_by(&self, db: &'static str, store: &'static str) -> Option<&'static str> {
        // What the environment says of all stores wins over what the project says of one.
        let one = |name: &str| if self.set(ALL).is_some() { self.set(name) } else { self.given(name) };
        let own = [db, store].into_iter().find(|name| one(name).is_some());
        own.or_else(|| self.given(ALL).map(|_| ALL))
    }

    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        self.value(name).and_then(|key| Secret::new(key).ok())
    }

    pub(super) fn token(&self, name: &str) -> Result<Option<Token>, CoreError> {
        let token = self.value(name).map(|token| Token::new(&token)).transpose();
        token.map_err(|error| CoreError::BadRequest(format!("{name}: {error}")))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, CoreError> {
        let value = self.value(name).unwrap_or_default();
        truth(&value).ok_or_else(|| CoreError::BadRequest(format!("{name} must be true or false")))
    }

    pub(super) fn bytes(&self, name: &str) -> Result<usize, CoreError> {
        let read = self.value(name).unwrap_or_default().parse().ok();
        read.filter(|bytes| (1..=MOST_BYTES).contains(bytes))
            .ok_or_else(|| CoreError::BadRequest(format!("{name} must be a number of bytes, at most {MOST_BYTES}")))
    }

    pub(super) fn hours(&self, name: &str) -> Result<Duration, CoreError> {
        let value = self.value(name).unwrap_or_default();
        let wrong = || CoreError::BadRequest(format!("{name} must be a whole number of hours, from 1 to 8760"));
        let hours = value.parse::<u64>().ok().filter(|hours| (1..=8760).contains(hours)).ok_or_else(wrong)?;
        Ok(Duration::from_secs(hours * 3600))
    }

    /// A number of MiB, in bytes.
    pub(super) fn mebibytes(&self, name: &str) -> Result<u64, CoreError> {
        let wrong = || CoreError::BadRequest(format!("{name} must be a whole number of MiB"));
        let read = self.value(name).unwrap_or_default().parse::<u64>().ok();
        read.and_then(|mebibytes| mebibytes.checked_mul(1 << 20)).ok_or_else(wrong)
    }

    /// A span that may be left out.
    pub(super) fn seconds(&self, name: &str) -> Result<Option<Duration>, CoreError> {
        let wrong = || CoreError::BadRequest(format!("{name} must be a whole number of seconds, from 1 to 86400"));
        let read = |value: String| value.parse::<u64>().ok().filter(|seconds| (1..=86_400).contains(seconds));
        self.value(name).map(|value| read(value).map(Duration::from_secs).ok_or_else(wrong)).transpose()
    }

    pub(super) fn milliseconds(&self, name: &str) -> Result<Duration, CoreError> {
        let value = self.value(name).unwrap_or_default();
        let wrong = |_| CoreError::BadRequest(format!("{name} must be a whole number of milliseconds"));
        value.parse().map(Duration::from_millis).map_err(wrong)
    }
}

/// Browser origins, separated by commas; blanks are dropped. What a browser never sends could never match.
pub(super) fn origins(list: &str) -> Result<Vec<String>, CoreError> {
    let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    origins
        .map(|origin| match origin_problem(origin) {
            None => Ok(origin.to_owned()),
            Some(problem) => Err(CoreError::BadRequest(format!("CAVRA_CORS_ORIGINS: `{origin}` {problem}"))),
        })
        .collect()
}

fn origin_problem(origin: &str) -> Option<String> {
    if matches!(origin, "*" | "null") {
        return None;
    }
    if origin.contains('*') {
        return Some("can never match: `*` stands for every origin, or for none".to_owned());
    }
    let sent = url::Url::parse(origin).ok().map(|url| url.origin()).filter(url::Origin::is_tuple);
    match sent.map(|origin| origin.ascii_serialization()) {
        None => Some("is no origin, such as https://console.example".to_owned()),
        Some(sent) if sent != origin => Some(format!("can never match: browsers send `{sent}`")),
        Some(_) => None,
    }
}
