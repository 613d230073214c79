//! Spans while they are open, and the queue of those that have ended.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::{Sampler, TraceContext};

tokio::task_local! {
    /// The span in which a task works.
    static CURRENT: TraceContext;
}

/// The tracer of this process.
static TRACER: OnceLock<Tracer> = OnceLock::new();

/// What a span is about; the numbers are those of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Work inside.
    Internal = 1,
    /// Answering a request.
    Server = 2,
    /// Asking somebody else.
    Client = 3,
}

/// Records what is sampled.
#[derive(Clone, Debug)]
pub struct Tracer {
    sampler: Sampler,
    queue: Sender<EndedSpan>,
}

/// Spans that have ended.
pub type Queue = Receiver<EndedSpan>;

/// A span that has ended.
#[derive(Clone, Debug)]
pub struct EndedSpan {
    pub(crate) context: TraceContext,
    pub(crate) parent: Option<[u8; 8]>,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) began: u64,
    pub(crate) ended: u64,
    pub(crate) attributes: Vec<(&'static str, Value)>,
    pub(crate) has_failed: bool,
}

/// A span that is open. It ends when it is dropped; one that is not recorded still says which trace it belongs to.
#[derive(Debug)]
pub struct ActiveSpan {
    context: TraceContext,
    recorded: Option<(Sender<EndedSpan>, Option<EndedSpan>)>,
}

impl Tracer {
    /// One whose queue holds so many spans that have ended. What does not fit is dropped and counted.
    #[must_use]
    pub fn new(sampler: Sampler, length: usize) -> (Self, Queue) {
        let (queue, spans) = channel(length.max(1));
        (Self { sampler, queue }, spans)
    }

    /// Opens a span below another one, or as the first of a trace.
    fn open(&self, name: String, kind: Kind, parent: Option<&TraceContext>) -> Option<ActiveSpan> {
        let mut context = TraceContext::below(parent, false)?;
        context.is_sampled = self.sampler.samples(parent, &context.trace);
        let span = EndedSpan {
            context,
            parent: parent.map(|parent| parent.span),
            name,
            kind,
            began: nanos(),
            ended: 0,
            attributes: Vec::new(),
            has_failed: false,
        };
        let recorded = context.is_sampled.then(|| (self.queue.clone(), Some(span)));
        Some(ActiveSpan { context, recorded })
    }
}

/// Makes this the tracer of the process; the first one stays.
pub fn install(tracer: Tracer) {
    // A second one has nobody who would send what it records.
    let _ = TRACER.set(tracer);
}

/// Opens a span below `parent`, else below the one in which this task works. Nothing without a tracer.
#[must_use]
pub fn span(name: impl Into<String>, kind: Kind, parent: Option<TraceContext>) -> Option<ActiveSpan> {
    TRACER.get()?.open(name.into(), kind, parent.or_else(current).as_ref())
}

/// The span in which this task works.
#[must_use]
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|context| *context).ok()
}

/// Runs a future in a span, if there is one.
pub async fn in_context<T>(context: Option<TraceContext>, future: impl Future<Output = T>) -> T {
    match context {
        Some(context) => CURRENT.scope(context, future).await,
        None => future.await,
    }
}

impl ActiveSpan {
    /// What those below it, and other systems, are told.
    #[must_use]
    pub const fn context(&self) -> TraceContext {
        self.context
    }

    /// Says something about it. Nothing that may hold a secret: it leaves this machine.
    pub fn attribute(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some((_, Some(span))) = &mut self.recorded {
            span.attributes.push((name, value.into()));
        }
    }

    /// Gives it another name.
    pub fn rename(&mut self, name: impl Into<String>) {
        if let Some((_, Some(span))) = &mut self.recorded {
            span.name = name.into();
        }
    }

    /// Says that what it is about has failed.
    pub fn fail(&mut self) {
        if let Some((_, Some(span))) = &mut self.recorded {
            span.has_failed = true;
        }
    }
}

impl Drop for ActiveSpan {
    fn drop(&mut self) {
        let Some((queue, Some(mut span))) = self.recorded.take() else { return };
        span.ended = nanos().max(span.began);
        if queue.try_send(span).is_err() {
            metrics::counter!("cavra_otlp_spans_dropped_total").increment(1);
        }
    }
}

/// Nanoseconds since 1970.
#[must_use]
pub fn nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracer(sampler: &str, length: usize) -> (Tracer, Queue) {
        Tracer::new(Sampler::named(sampler, None).unwrap(), length)
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_nobody_waits() {
        let (tracer, mut queue) = tracer("always_on", 2);
        for _ in 0..5 {
            drop(tracer.open("x".to_owned(), Kind::Internal, None));
        }
        let mut found = 0;
        while queue.try_recv().is_ok() {
            found += 1;
        }
        assert_eq!(found, 2);
    }

    #[test]
    fn what_is_not_sampled_is_not_recorded_and_says_so() {
        let (tracer, mut queue) = tracer("always_off", 2);
        let span = tracer.open("x".to_owned(), Kind::Internal, None).unwrap();
        assert!(span.context().header().ends_with("-00"));
        drop(span);
        assert!(queue.try_recv().is_err());
    }

    #[tokio::test]
    async fn spans_are_below_the_one_in_which_a_task_works() {
        let (tracer, mut queue) = tracer("always_on", 4);
        let outer = tracer.open("outer".to_owned(), Kind::Server, None).unwrap();
        let context = outer.context();
        in_context(Some(context), async {
            assert_eq!(current(), Some(context));
            let mut inner = tracer.open("inner".to_owned(), Kind::Internal, current().as_ref()).unwrap();
            inner.attribute("a", 1);
            inner.fail();
        })
        .await;
        assert_eq!(current(), None);
        let inner = queue.recv().await.unwrap();
        assert_eq!((inner.context.trace, inner.parent), (context.trace, Some(context.span)));
        assert!(inner.has_failed && inner.attributes == [("a", Value::from(1))] && inner.ended >= inner.began);
    }
}
