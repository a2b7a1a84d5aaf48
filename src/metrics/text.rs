//! The text format of Prometheus: a family of samples after the other.

use std::fmt::{Display, Write};

/// The text of a scrape.
#[derive(Debug, Default)]
pub(crate) struct Exposition(String);

/// The labels of a sample.
pub(crate) type Labels<'a> = [(&'static str, &'a str)];

impl Exposition {
    /// Begins a family; `kind` is counter, gauge, histogram or summary.
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A sample of the family; labels without a value are left out.
    pub(crate) fn sample(&mut self, name: &str, labels: &Labels<'_>, value: impl Display) {
        self.0.push_str(name);
        let mut before = '{';
        for (label, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = write!(self.0, "{before}{label}=\"");
            for letter in value.chars() {
                match letter {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    other => self.0.push(other),
                }
            }
            self.0.push('"');
            before = ',';
        }
        if before == ',' {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// A histogram: how many fell up to each bound, how many in all, and their sum.
    pub(crate) fn histogram(
        &mut self,
        name: &str,
        labels: &Labels<'_>,
        up_to: impl IntoIterator<Item = (String, u64)>,
        count: u64,
        sum: impl Display,
    ) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in up_to.into_iter().chain([("+Inf".to_owned(), count)]) {
            let of_bound: Vec<(&'static str, &str)> = labels.iter().copied().chain([("le", &*bound)]).collect();
            self.sample(&bucket, &of_bound, count);
        }
        self.sample(&format!("{name}_sum"), labels, sum);
        self.sample(&format!("{name}_count"), labels, count);
    }

    /// All of it.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_empty_ones_left_out() {
        let mut text = Exposition::default();
        text.sample("a_total", &[("x", "q\"\\\n"), ("y", "")], 1);
        text.sample("b", &[], 2);
        assert_eq!(text.finish(), "a_total{x=\"q\\\"\\\\\\n\"} 1\nb 2\n");
    }
}
