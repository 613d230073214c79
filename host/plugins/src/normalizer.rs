//! The world of normalizers: a vendor's inventory export goes in as chunks, observations of endpoints come out.
//!
//! What comes out is bounded here and nothing more: whether a payload is an observation is for the caller to check. The
//! types are those of the contract, `wit/normalizer`.

use std::fmt;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::bindings::normalizer_1_0 as bound;
use crate::error::{Failure, PluginError, PluginErrorKind, clip};
use crate::limits::LABEL_BYTES;
use crate::linked::Linked;
use crate::plugin::{Plugin, Session};
use crate::store::CallState;
use crate::world::World;

pub use bound::cavra::normalizer::types::{Batch, Description, Fault, Observation, Problem, Refusal, Summary};

/// Normalizers.
static NORMALIZER: World = World {
    package: "cavra:normalizer",
    noun: "normalizer",
    versions: &["1.0.0"],
    exports: &["describe", "begin", "chunk", "finish"],
};

/// Largest piece of an export that a normalizer is given at a time.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Most problems, and unknown columns, of an export.
const MOST_ITEMS: usize = 256;
/// Characters kept of a sentence.
const SENTENCE_CHARS: usize = 2_000;
/// Characters kept of a name: a sort of problem, a column.
const NAME_CHARS: usize = 100;
/// Longest text of what an export says about itself.
const ABOUT_BYTES: usize = 16 * 1024;
/// Longest settings' schema.
const SCHEMA_BYTES: usize = 64 * 1024;
/// Formats of a description.
const MOST_FORMATS: usize = 16;

/// A normalizer that is linked.
pub(crate) struct LinkedNormalizer(bound::NormalizerPre<CallState>);

impl Linked for LinkedNormalizer {
    type Exports = bound::Normalizer;

    fn world() -> &'static World {
        &NORMALIZER
    }

    fn of(_version: &str, instance: InstancePre<CallState>) -> wasmtime::Result<Self> {
        bound::NormalizerPre::new(instance).map(Self)
    }

    fn instance_pre(&self) -> &InstancePre<CallState> {
        self.0.instance_pre()
    }

    fn exports(&self, store: &mut Store<CallState>, instance: &Instance) -> wasmtime::Result<bound::Normalizer> {
        bound::Normalizer::new(store, instance)
    }
}

/// Why an export was not read.
#[derive(Clone, Debug)]
pub enum NotRead {
    /// The normalizer refuses it.
    Refused(Refusal),
    /// The normalizer failed.
    Failed(PluginError),
}

impl fmt::Display for NotRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Refused(Refusal::Settings(what)) => f.write_str(what),
            Self::Refused(Refusal::NoRecords) => f.write_str("there is no list of records in it"),
            Self::Refused(Refusal::TooMany(records)) => write!(f, "it has {records} records"),
            Self::Refused(Refusal::Unreadable(Fault { offset, record_number, message })) => {
                if let Some(record) = record_number {
                    write!(f, "record {record}, ")?;
                }
                write!(f, "at byte {offset}: {message}")
            }
        }
    }
}

impl std::error::Error for NotRead {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => error.source(),
            Self::Refused(_) => None,
        }
    }
}

/// A normalizer that is ready to read exports, each in an instance of its own.
pub struct Normalizer {
    plugin: Plugin<LinkedNormalizer>,
    description: Description,
}

impl Normalizer {
    /// One that has said what it is.
    pub(crate) async fn described(plugin: Plugin<LinkedNormalizer>) -> Result<Self, PluginError> {
        let description = describe(&plugin).await.map_err(|failure| plugin.failed(failure))?;
        Ok(Self { plugin, description })
    }

    /// What the normalizer says about itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Begins an export. `settings` is a JSON object.
    ///
    /// # Errors
    /// [`NotRead`].
    pub async fn open(&self, settings: &str) -> Result<Normalization<'_>, NotRead> {
        self.plugin.called();
        let opened = async {
            let mut session = self.plugin.open(&self.plugin.limits().normalizer).await?;
            let (normalizer, store) = session.ask(settings.len())?;
            let answer = normalizer.call_begin(store, settings).await;
            let answer = session.answered(answer)?;
            Ok((session, answer))
        };
        let (session, answer) = opened.await.map_err(|failure| self.failed(failure))?;
        answer.map_err(refused)?;
        Ok(Normalization { normalizer: self, session })
    }

    fn failed(&self, failure: Failure) -> NotRead {
        NotRead::Failed(self.plugin.failed(failure))
    }
}

/// An export that is being read. Memory, instructions and time are those of all its calls together.
pub struct Normalization<'n> {
    normalizer: &'n Normalizer,
    session: Session<bound::Normalizer>,
}

impl Normalization<'_> {
    /// The next bytes, at most [`CHUNK_BYTES`].
    ///
    /// # Errors
    /// [`NotRead`]; the export is over then.
    pub async fn chunk(&mut self, bytes: &[u8]) -> Result<Batch, NotRead> {
        let asked = async {
            let (normalizer, store) = self.session.ask(bytes.len())?;
            let answer = normalizer.call_chunk(store, bytes).await;
            self.session.answered(answer)
        };
        asked.await.map_err(|failure| self.normalizer.failed(failure))?.map_err(refused)
    }

    /// No more bytes.
    ///
    /// # Errors
    /// [`NotRead`].
    pub async fn finish(mut self) -> Result<Summary, NotRead> {
        let asked = async {
            let (normalizer, store) = self.session.ask(0)?;
            let answer = normalizer.call_finish(store).await;
            self.session.answered(answer)
        };
        let answer = asked.await.map_err(|failure| self.normalizer.failed(failure))?;
        let mut summary = answer.map_err(refused)?;
        if summary.problems.len() > MOST_ITEMS || summary.unknown_columns.len() > MOST_ITEMS {
            return Err(self.normalizer.failed(bad_answer("it has more than 256 problems or columns")));
        }
        if summary.about.len() > ABOUT_BYTES {
            return Err(self.normalizer.failed(bad_answer("what the export says about itself is above 16 KiB")));
        }
        for problem in &mut summary.problems {
            problem.sort = clip(&problem.sort, NAME_CHARS);
            problem.message = clip(&problem.message, SENTENCE_CHARS);
        }
        for column in &mut summary.unknown_columns {
            *column = clip(column, NAME_CHARS);
        }
        Ok(summary)
    }
}

/// A refusal whose words are fit for an answer.
fn refused(refusal: Refusal) -> NotRead {
    NotRead::Refused(match refusal {
        Refusal::Settings(what) => Refusal::Settings(clip(&what, SENTENCE_CHARS)),
        Refusal::Unreadable(fault) => {
            Refusal::Unreadable(Fault { message: clip(&fault.message, SENTENCE_CHARS), ..fault })
        }
        refusal => refusal,
    })
}

async fn describe(plugin: &Plugin<LinkedNormalizer>) -> Result<Description, Failure> {
    let mut session = plugin.open(&plugin.limits().normalizer).await?;
    let (normalizer, store) = session.ask(0)?;
    let answer = normalizer.call_describe(store).await;
    let description = session.answered(answer)?;
    let Description { id, title, version, formats, settings_schema } = &description;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if id.is_empty() || !id.bytes().all(plain) {
        return Err(bad_answer("its id is not of the characters a-z 0-9 -"));
    }
    if [id, title, version].into_iter().chain(formats).any(|text| text.len() > LABEL_BYTES) {
        return Err(bad_answer("a text of its description is longer than 512 bytes"));
    }
    if formats.len() > MOST_FORMATS || settings_schema.len() > SCHEMA_BYTES {
        return Err(bad_answer("it has more than 16 formats, or a schema above 64 KiB"));
    }
    Ok(description)
}

fn bad_answer(what: &str) -> Failure {
    PluginErrorKind::BadAnswer(what.to_owned()).into()
}
