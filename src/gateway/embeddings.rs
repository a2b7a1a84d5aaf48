//! Vectors, in OpenAI's protocol.

use super::Gateway;
use super::answer::Facts;
use super::caller::Caller;
use super::refusal::Refusal;
use crate::chat;
use crate::wire::openai_chat;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Answers a request for vectors.
pub(super) async fn answer(State(gateway): State<Gateway>, request: Request) -> Response {
    gateway.embed(request).await.unwrap_or_else(|refusal| refusal.into_response(&openai_chat::PROTOCOL))
}

/// What is asked.
struct Asked {
    model: String,
    texts: Vec<String>,
    is_base64: bool,
}

impl Gateway {
    async fn embed(&self, request: Request) -> Result<Response, Refusal> {
        let (parts, body) = request.into_parts();
        let caller = parts.extensions.get::<Caller>().cloned().unwrap_or_default();
        let asked = Asked::read(self.read_json(body).await?)?;
        let client = self.client();
        let model = client.full_name(&asked.model);
        let _pass = caller.enter(&model)?;
        let request = chat::Request { model, ..chat::Request::default() };
        let call = caller.call(request, &parts.headers, self.config().answer_timeout)?;
        let made = client.embed(&asked.texts, &call).await?;
        let data: Vec<_> = made
            .vectors
            .iter()
            .enumerate()
            .map(|(index, vector)| json!({"object": "embedding", "index": index, "embedding": asked.write(vector)}))
            .collect();
        let tokens = made.usage.input_tokens;
        let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
        let body = json!({"object": "list", "data": data, "model": asked.model, "usage": usage});
        let mut reply = Json(body).into_response();
        Facts { cost: Some(made.cost), model: &made.model, attempts: made.attempts, ..Facts::default() }
            .put(reply.headers_mut());
        Ok(reply)
    }
}

impl Asked {
    fn read(body: Value) -> Result<Self, Refusal> {
        let Value::Object(mut fields) = body else {
            return Err(Refusal::invalid("the body is no object: send {\"model\": ..., \"input\": ...}"));
        };
        let Some(Value::String(model)) = fields.remove("model") else {
            return Err(Refusal::invalid("model is missing: give the model's name, as provider/model"));
        };
        let texts = texts(fields.remove("input"))?;
        let is_base64 = match fields.remove("encoding_format") {
            None | Some(Value::Null) => false,
            Some(Value::String(word)) if word == "float" || word == "base64" => word == "base64",
            Some(other) => return Err(Refusal::invalid(format!("encoding_format is {other}: give float or base64"))),
        };
        check_rest(&fields)?;
        Ok(Self { model, texts, is_base64 })
    }

    /// A vector: OpenAI's own client asks for the bytes of its 32-bit floats, the lowest byte first.
    fn write(&self, vector: &[f32]) -> Value {
        if !self.is_base64 {
            return json!(vector);
        }
        let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        STANDARD.encode(bytes).into()
    }
}

fn texts(input: Option<Value>) -> Result<Vec<String>, Refusal> {
    let wrong = || Refusal::invalid("input is no text: give a text or a list of texts; tokens are not taken");
    match input {
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(wrong()),
            })
            .collect(),
        _ => Err(wrong()),
    }
}

/// What would change the vectors and cannot be passed on is refused; who asks is not.
fn check_rest(fields: &Map<String, Value>) -> Result<(), Refusal> {
    match fields.iter().find(|(name, value)| *name != "user" && !value.is_null()) {
        Some((name, _)) => Err(Refusal::invalid(format!("{name} is not taken for embeddings: leave it out"))),
        None => Ok(()),
    }
}
