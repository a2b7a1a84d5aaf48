//! Which of the counts in a reply are parts of others: its total decides, where it has one.

use super::Usage;

/// Counts as a reply has them, before it is settled which are in the input and output and which are beside them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// Input and output as the reply has them, and their parts.
    pub(super) usage: Usage,
    /// Input that the model's tools made, beside the rest by the family's rule.
    pub(super) tools: u64,
    /// The sum of all, where the reply has one.
    pub(super) total: Option<u64>,
    /// Whether the family counts the cache beside the input.
    pub(super) is_cache_beside: bool,
    /// Whether it counts reasoning beside the output.
    pub(super) is_reasoning_beside: bool,
    /// Whether what the total has more may be reasoning that is named nowhere else.
    pub(super) hides_reasoning: bool,
}

/// Which parts are added to their wholes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Beside {
    cache: bool,
    tools: bool,
    reasoning: bool,
}

impl Counts {
    /// The usage with all parts in their wholes. The total wins over the family's rule; without one, a part that is larger
    /// than its whole cannot be in it and is added.
    pub(super) fn whole(mut self) -> Usage {
        self.usage.cache_write_tokens = self.usage.cache_write_tokens.max(self.usage.cache_write_1h_tokens);
        // A sum of nothing beside counts is a field that was left empty.
        self.total = self.total.filter(|&total| total > 0);
        let beside = match self.total {
            Some(total) => self.by_total(total),
            None => self.by_size(),
        };
        let hidden = match self.total {
            Some(total) if self.hides_reasoning => total.saturating_sub(self.sum(beside)),
            _ => 0,
        };
        let mut usage = self.usage;
        (usage.input_tokens, usage.output_tokens) = self.sides(beside);
        usage.output_tokens = usage.output_tokens.saturating_add(hidden);
        usage.reasoning_tokens = usage.reasoning_tokens.max(hidden);
        if self.total.is_none() {
            usage.input_tokens = usage.input_tokens.max(usage.input_audio_tokens).max(usage.input_image_tokens);
            usage.output_tokens = usage.output_tokens.max(usage.output_audio_tokens).max(usage.output_image_tokens);
        }
        clamped(usage)
    }

    fn stored(&self) -> u64 {
        self.usage.cached_input_tokens.saturating_add(self.usage.cache_write_tokens)
    }

    /// Input and output.
    fn sides(&self, beside: Beside) -> (u64, u64) {
        let part = |is_beside: bool, tokens: u64| if is_beside { tokens } else { 0 };
        let input = self.usage.input_tokens.saturating_add(part(beside.cache, self.stored()));
        let output = self.usage.output_tokens.saturating_add(part(beside.reasoning, self.usage.reasoning_tokens));
        (input.saturating_add(part(beside.tools, self.tools)), output)
    }

    fn sum(&self, beside: Beside) -> u64 {
        let (input, output) = self.sides(beside);
        input.saturating_add(output)
    }

    fn by_rule(&self) -> Beside {
        Beside { cache: self.is_cache_beside, tools: true, reasoning: self.is_reasoning_beside }
    }

    fn by_size(&self) -> Beside {
        let rule = self.by_rule();
        Beside {
            cache: rule.cache || self.stored() > self.usage.input_tokens,
            reasoning: rule.reasoning || self.usage.reasoning_tokens > self.usage.output_tokens,
            ..rule
        }
    }

    /// The family's rule where it makes the total, else what does, else the family's rule for what the total leaves out.
    fn by_total(&self, total: u64) -> Beside {
        let rule = self.by_rule();
        // A cache larger than the input that the family counts without it is no part of it, whatever is summed up.
        let is_cache_apart = rule.cache && self.stored() > self.usage.input_tokens;
        let flip = |cache: bool, tools: bool, reasoning: bool| Beside {
            cache: rule.cache != cache || is_cache_apart,
            tools: rule.tools != tools,
            reasoning: rule.reasoning != reasoning,
        };
        // The fewest changes of the rule first.
        let choices = [
            rule,
            flip(false, false, true),
            flip(true, false, false),
            flip(false, true, false),
            flip(true, false, true),
            flip(false, true, true),
            flip(true, true, false),
            flip(true, true, true),
        ];
        let fits = choices.into_iter().find(|choice| self.sum(*choice) == total);
        fits.unwrap_or_else(|| {
            let with_reasoning = Beside { reasoning: true, ..rule };
            // What the total has not the room for was not counted beside.
            if self.sum(with_reasoning) <= total { rule } else { Beside { reasoning: false, ..rule } }
        })
    }
}

/// No part is larger than its whole.
fn clamped(mut usage: Usage) -> Usage {
    let (input, output) = (usage.input_tokens, usage.output_tokens);
    usage.cached_input_tokens = usage.cached_input_tokens.min(input);
    usage.cache_write_tokens = usage.cache_write_tokens.min(input - usage.cached_input_tokens);
    usage.cache_write_1h_tokens = usage.cache_write_1h_tokens.min(usage.cache_write_tokens);
    usage.input_audio_tokens = usage.input_audio_tokens.min(input);
    usage.input_image_tokens = usage.input_image_tokens.min(input);
    usage.reasoning_tokens = usage.reasoning_tokens.min(output);
    usage.output_audio_tokens = usage.output_audio_tokens.min(output);
    usage.output_image_tokens = usage.output_image_tokens.min(output);
    usage
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts() -> impl Strategy<Value = Counts> {
        let few = || 0..40_u64;
        let total = proptest::option::of(0..200_u64);
        let rules = (any::<bool>(), any::<bool>(), any::<bool>());
        let of = (few(), few(), few(), few(), few(), few(), few(), total, rules);
        of.prop_map(|(input, output, cached, written, reasoning, audio, tools, total, rules)| Counts {
            usage: Usage {
                cached_input_tokens: cached,
                cache_write_tokens: written,
                reasoning_tokens: reasoning,
                input_audio_tokens: audio,
                output_audio_tokens: audio,
                ..Usage::new(input, output)
            },
            tools,
            total,
            is_cache_beside: rules.0,
            is_reasoning_beside: rules.1,
            hides_reasoning: rules.2,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]
        #[test]
        fn parts_are_in_their_wholes_and_no_total_is_passed(counts in counts()) {
            let usage = counts.whole();
            prop_assert!(usage.check().is_ok(), "{usage:?}");
            prop_assert!(usage.input_tokens >= counts.usage.input_tokens);
            prop_assert!(usage.output_tokens >= counts.usage.output_tokens);
            // Reasoning is never added to an output where the total has no room for it; a total of 0 is a field left empty.
            if let Some(total) = counts.total.filter(|total| *total > 0) && usage.output_tokens > counts.usage.output_tokens {
                prop_assert!(usage.total_tokens() <= total, "{usage:?}");
            }
        }

        #[test]
        fn a_total_that_the_counts_can_make_is_made(counts in counts(), choice in 0..8_u8) {
            let beside = Beside { cache: choice & 1 > 0, tools: choice & 2 > 0, reasoning: choice & 4 > 0 };
            // A cache that its family counts beside and that is larger than the input is never in it.
            prop_assume!(!counts.is_cache_beside || beside.cache);
            let total = counts.sum(beside);
            // A total of 0 is a field left empty.
            prop_assume!(total > 0);
            let usage = Counts { total: Some(total), ..counts }.whole();
            prop_assert_eq!(usage.total_tokens(), total);
        }
    }
}
