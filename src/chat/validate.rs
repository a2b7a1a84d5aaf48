//! What every provider refuses, refused before anything is sent or paid.

use super::{Message, Request, Role};
use crate::{Error, Result};

impl Request {
    /// Refuses what every provider refuses.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the message or the parameter.
    pub fn validate(&self) -> Result<()> {
        if self.messages.is_empty() {
            return Err(Error::invalid("messages is empty: give at least one message with role and content"));
        }
        for (index, message) in self.messages.iter().enumerate() {
            if message.role == Role::User && is_blank(message) {
                return Err(Error::invalid(format!("message {index} of the user is empty: give a question")));
            }
        }
        let sampling = &self.sampling;
        within("temperature", sampling.temperature, 0.0, 2.0)?;
        within("top_p", sampling.top_p, 0.0, 1.0)?;
        within("presence_penalty", sampling.presence_penalty, -2.0, 2.0)?;
        within("frequency_penalty", sampling.frequency_penalty, -2.0, 2.0)?;
        at_least_one("n", sampling.choices)?;
        at_least_one("max_tokens", self.limits.max_output_tokens)
    }
}

fn is_blank(message: &Message) -> bool {
    message.parts.iter().all(|part| part.as_text().is_some_and(|text| text.trim().is_empty()))
}

fn within(name: &str, given: Option<f64>, least: f64, most: f64) -> Result<()> {
    match given {
        Some(number) if !(least..=most).contains(&number) => {
            Err(Error::invalid(format!("{name} is {number}: give a number from {least} to {most}")))
        }
        _ => Ok(()),
    }
}

fn at_least_one(name: &str, given: Option<u64>) -> Result<()> {
    match given {
        Some(0) => Err(Error::invalid(format!("{name} is 0: give a whole number, 1 or more"))),
        _ => Ok(()),
    }
}
