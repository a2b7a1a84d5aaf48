//! A chat, in whatever protocol it is asked.

use super::answer::{Facts, told};
use super::caller::Caller;
use super::refusal::Refusal;
use super::{Gateway, stream};
use crate::wire::{Incoming, Protocol, WriterOptions};
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};

/// Answers a chat, whole or as a stream.
pub(super) async fn answer(
    protocol: &'static dyn Protocol,
    State(gateway): State<Gateway>,
    request: Request,
) -> Response {
    // On the heap: what a call needs on its way would make every future around it large.
    Box::pin(gateway.chat(protocol, request)).await.unwrap_or_else(|refusal| refusal.into_response(protocol))
}

impl Gateway {
    async fn chat(&self, protocol: &'static dyn Protocol, request: Request) -> Result<Response, Refusal> {
        let (parts, body) = request.into_parts();
        let caller = parts.extensions.get::<Caller>().cloned().unwrap_or_default();
        let Incoming { mut request, stream, include_usage } = protocol.read_request(self.read_json(body).await?)?;
        let client = self.client();
        // A reply names the model as it was asked for.
        let model = request.model.clone();
        request.model = client.full_name(&model);
        let pass = caller.enter(&request.model)?;
        let call = caller.call(request, &parts.headers, self.config().answer_timeout)?;
        if stream {
            let events = client.stream(call).await?;
            let options = WriterOptions { model, include_usage };
            return Ok(stream::response(protocol, events, options, pass));
        }
        let response = client.chat(call).await?;
        let mut reply = Json(protocol.write_reply(&told(&response))).into_response();
        Facts::of(&response).put(reply.headers_mut());
        Ok(reply)
    }
}
