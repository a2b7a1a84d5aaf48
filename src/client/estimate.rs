//! The most that a call may use, before it is made: what a budget sets aside.

use crate::chat::{Message, Output, Part, Reply, Request, Tool};
use crate::cost::price::PriceTable;
use crate::cost::tokens;
use crate::usage::Usage;

/// What an answer without a limit is taken to have where only the order of size matters, as for a limit on tokens a
/// minute: a model's longest answer would let hardly any call through.
const USUAL_OUTPUT_TOKENS: u64 = 4096;

/// What a call is expected to use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// The most, for budgets.
    pub(super) worst: Usage,
    /// The likely input, for the record where the provider tells nothing.
    pub(super) input_tokens: u64,
    /// About all tokens, for limits on tokens a minute.
    pub(super) rough_tokens: u64,
    /// Whether the caller bounded the answer.
    pub(super) is_bounded: bool,
}

/// Of a request: its text by the model's splitter or a bound on it, and as much output as it asks for, or as the model
/// gives at most.
pub(super) fn of_request(request: &Request, model: &str, prices: &PriceTable) -> Expected {
    let input = tokens::of_texts(model, &texts_of(request), request.messages.len());
    let answers = request.sampling.choices.unwrap_or(1);
    let asked = request.limits.max_output_tokens;
    let most = asked.unwrap_or_else(|| tokens::most_output(prices, model)).saturating_mul(answers);
    let usual = asked.unwrap_or(USUAL_OUTPUT_TOKENS).saturating_mul(answers);
    Expected {
        worst: Usage::new(input.most, most),
        input_tokens: input.tokens,
        rough_tokens: input.tokens.saturating_add(usual),
        is_bounded: asked.is_some(),
    }
}

/// Of texts to embed.
pub(super) fn of_texts(texts: &[String], model: &str) -> Expected {
    let (mut likely, mut most) = (0_u64, 0_u64);
    for found in texts.iter().map(|text| tokens::of_text(model, text)) {
        likely = likely.saturating_add(found.tokens);
        most = most.saturating_add(found.most);
    }
    Expected { worst: Usage::new(most, 0), input_tokens: likely, rough_tokens: likely, is_bounded: true }
}

/// What a provider that told nothing is taken to have used for what it wrote.
pub(super) fn of_reply(expected: &Expected, model: &str, reply: &Reply) -> Usage {
    let written = reply.written();
    let output = written.iter().map(|text| tokens::of_text(model, text).tokens).fold(0, u64::saturating_add);
    Usage::new(expected.input_tokens, output)
}

/// All that a model reads as text: the conversation, and the schemas that go with it.
fn texts_of(request: &Request) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for message in &request.messages {
        of_message(message, &mut texts);
    }
    for tool in &request.tools {
        texts.push(match tool {
            Tool::Function { name, description, parameters, .. } => {
                let schema = parameters.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("{name} {} {schema}", description.as_deref().unwrap_or_default())
            }
            Tool::Other(value) => value.to_string(),
        });
    }
    match &request.output {
        Output::Schema { schema, .. } => texts.push(schema.to_string()),
        Output::Other(value) => texts.push(value.to_string()),
        Output::Text | Output::Json => {}
    }
    texts
}

fn of_message(message: &Message, texts: &mut Vec<String>) {
    texts.push(message.role.as_str().to_owned());
    texts.extend(message.name.clone());
    of_parts(&message.parts, texts);
}

/// Pictures, recordings and documents are no text and are not counted.
fn of_parts(parts: &[Part], texts: &mut Vec<String>) {
    for part in parts {
        match part {
            Part::Text { text, .. } | Part::Refusal { text } => texts.push(text.clone()),
            Part::Reasoning(reasoning) => texts.push(reasoning.text.clone()),
            Part::ToolCall(call) => texts.extend([call.name.clone(), call.arguments.clone()]),
            Part::ToolResult(result) => of_parts(&result.parts, texts),
            Part::Other { value } => texts.push(value.to_string()),
            Part::Image(_) | Part::Audio(_) | Part::File(_) => {}
        }
    }
}
