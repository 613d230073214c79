//! The text in which `/metrics` shows counters, gauges and histograms
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), read back: so there is one place in which they are counted.

/// A metric with its series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Family<'a> {
    pub(crate) name: &'a str,
    /// `counter`, `gauge` or `histogram`.
    pub(crate) kind: &'a str,
    pub(crate) series: Vec<Series>,
}

/// One combination of labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    pub(crate) labels: Vec<(String, String)>,
    /// The number; of a histogram, the sum.
    pub(crate) value: f64,
    /// Of a histogram: how many there are at all, and below each bound.
    pub(crate) count: u64,
    pub(crate) buckets: Vec<(f64, u64)>,
}

/// Every metric of a text.
pub(crate) fn families(text: &str) -> Vec<Family<'_>> {
    let mut found: Vec<Family<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            if let Some((name, kind)) = declared.split_once(' ') {
                found.push(Family { name, kind, series: Vec::new() });
            }
        } else if let (Some(family), Some(sample)) = (found.last_mut(), Sample::read(line)) {
            family.take(sample);
        }
    }
    found.retain(|family| !family.series.is_empty() && ["counter", "gauge", "histogram"].contains(&family.kind));
    found
}

/// A line with a number.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(String, String)>,
    value: f64,
}

impl<'a> Sample<'a> {
    fn read(line: &'a str) -> Option<Self> {
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (name, labels, rest) = match line.split_once('{') {
            Some((name, rest)) => {
                let (labels, rest) = labels(rest)?;
                (name, labels, rest)
            }
            None => {
                let (name, rest) = line.split_once(' ')?;
                (name, Vec::new(), rest)
            }
        };
        Some(Self { name, labels, value: rest.trim().parse().ok()? })
    }
}

/// The labels up to the brace that ends them, and what follows.
fn labels(mut text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut found = Vec::new();
    loop {
        text = text.trim_start_matches(',');
        if let Some(rest) = text.strip_prefix('}') {
            return Some((found, rest));
        }
        let (name, quoted) = text.split_once("=\"")?;
        let (mut value, mut is_escaped, mut end) = (String::new(), false, None);
        for (place, character) in quoted.char_indices() {
            match (is_escaped, character) {
                (false, '"') => {
                    end = Some(place + 1);
                    break;
                }
                (false, '\\') => {
                    is_escaped = true;
                    continue;
                }
                (true, 'n') => value.push('\n'),
                (_, other) => value.push(other),
            }
            is_escaped = false;
        }
        found.push((name.to_owned(), value));
        text = quoted.get(end?..)?;
    }
}

impl Family<'_> {
    fn take(&mut self, sample: Sample<'_>) {
        let Sample { name, mut labels, value } = sample;
        let Some(part) = name.strip_prefix(self.name) else { return };
        let bound = labels.iter().position(|(name, _)| name == "le" && part == "_bucket").map(|at| labels.remove(at).1);
        // Samples of a series stand together.
        let series = match self.series.iter().rposition(|series| series.labels == labels) {
            Some(at) => self.series.get_mut(at),
            None => {
                self.series.push(Series { labels, ..Series::default() });
                self.series.last_mut()
            }
        };
        let Some(series) = series else { return };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a count")]
        let count = value as u64;
        match (self.kind, part, bound) {
            ("histogram", "_bucket", Some(bound)) => {
                series.buckets.push((bound.parse().unwrap_or(f64::INFINITY), count));
            }
            ("histogram", "_count", _) => series.count = count,
            ("histogram", "_sum", _) | (_, "", _) => series.value = value,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_hold_anything() {
        let text = "# HELP a nothing\n# TYPE a counter\na{x=\"}\\\"\\\\ \\n,\",y=\"\"} 2\na 1\n# TYPE s summary\ns{quantile=\"0\"} 1\n";
        let found = families(text);
        assert_eq!(found.len(), 1, "{found:?}");
        let labels = vec![("x".to_owned(), "}\"\\ \n,".to_owned()), ("y".to_owned(), String::new())];
        assert_eq!((&found[0].series[0].labels, found[0].series[0].value), (&labels, 2.0));
        assert_eq!((found[0].series[1].labels.len(), found[0].series[1].value), (0, 1.0));
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "(# TYPE [a-c]{1,2} (counter|gauge|histogram)\n|[a-c]{1,2}(_bucket)?(\\{(le=\")?\\PC{0,5}\\}?)? [0-9x]{0,3}\n){0,12}") {
            families(&text);
        }
    }
}
