//! Which traces are recorded: `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).

use crate::TraceContext;

/// Decides about a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Whoever calls has decided, if they are part of a trace.
    follows_parent: bool,
    /// The share of the others, from 0 to 1.
    share: f64,
}

/// What is done unless somebody says otherwise.
pub(crate) const DEFAULT: &str = "parentbased_always_on";

impl Sampler {
    /// The one of that name, with its argument.
    ///
    /// # Errors
    /// What is wrong, as a sentence without the variable.
    pub fn named(name: &str, argument: Option<&str>) -> Result<Self, String> {
        let (follows_parent, kind) = match name.strip_prefix("parentbased_") {
            Some(kind) => (true, kind),
            None => (false, name),
        };
        let share = match (kind, argument) {
            ("always_on", _) => 1.0,
            ("always_off", _) => 0.0,
            ("traceidratio", None) => 1.0,
            ("traceidratio", Some(argument)) => {
                let share = argument.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
                share.ok_or_else(|| "its argument must be a number from 0 to 1".to_owned())?
            }
            _ => {
                return Err(
                    "must be always_on, always_off or traceidratio, or parentbased_ before one of them".to_owned()
                );
            }
        };
        Ok(Self { follows_parent, share })
    }

    /// Whether the trace below `parent`, or the new one with these bytes, is recorded.
    pub(crate) fn samples(&self, parent: Option<&TraceContext>, trace: &[u8; 16]) -> bool {
        if let Some(parent) = parent.filter(|_| self.follows_parent) {
            return parent.is_sampled;
        }
        // The same trace is judged alike by everybody who knows the share: by its last seven bytes, as the specification of
        // consistent sampling has it.
        let number = trace.iter().skip(9).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        #[expect(clippy::cast_precision_loss, reason = "56 bits against a share of some digits")]
        let place = number as f64 / (1_u64 << 56) as f64;
        // The highest numbers round up to the whole.
        self.share >= 1.0 || place < self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samplers_of_the_specification() {
        let parent = |is_sampled| TraceContext { trace: [1; 16], span: [1; 8], is_sampled };
        let (low, high) = ([0; 16], [0xff; 16]);
        for (name, argument, alone, below_sampled, below_other) in [
            ("always_on", None, [true, true], true, true),
            ("always_off", None, [false, false], false, false),
            ("traceidratio", Some("0.5"), [true, false], true, true),
            ("parentbased_always_on", None, [true, true], true, false),
            ("parentbased_always_off", None, [false, false], true, false),
            ("parentbased_traceidratio", Some("0.5"), [true, false], true, false),
            ("parentbased_traceidratio", Some("0"), [false, false], true, false),
        ] {
            let sampler = Sampler::named(name, argument).unwrap();
            assert_eq!([&low, &high].map(|trace| sampler.samples(None, trace)), alone, "{name}");
            assert_eq!(sampler.samples(Some(&parent(true)), &[1; 16]), below_sampled, "{name}");
            assert_eq!(sampler.samples(Some(&parent(false)), &[1; 16]), below_other, "{name}");
        }
        for (name, argument) in
            [("sometimes", None), ("", None), ("traceidratio", Some("2")), ("traceidratio", Some("x"))]
        {
            assert!(Sampler::named(name, argument).is_err(), "{name} {argument:?}");
        }
    }
}
