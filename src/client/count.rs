//! How many tokens a question has, before it is asked.

use super::{ChatCall, Client};
use crate::Result;
use crate::chat::Request;

impl Client {
    /// The input tokens that a request is likely to have: by the model's own splitter where it is known here, else by an
    /// estimate. Nothing is sent.
    ///
    /// # Errors
    /// `UnknownModel`, `InvalidArgument`.
    pub fn count_tokens(&self, request: &Request) -> Result<u64> {
        let plan = self.plan(&ChatCall::of(request.clone()), false)?;
        Ok(plan.candidates.first().map_or(0, |candidate| candidate.expected.input_tokens))
    }
}
