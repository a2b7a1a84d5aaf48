//! What users add: patterns that are slots, and checks of their own.

use super::signature::{Fact, Signature};
use crate::{Error, Result};
use regex::{Regex, RegexBuilder};
use std::fmt::Debug;
use std::sync::Arc;

/// A check that the guards ask last, with both questions as they were written.
pub trait FactCheck: Debug + Send + Sync {
    /// Why the stored question's answer must not serve; None where nothing speaks against it.
    fn differs(&self, asked: &str, stored: &str) -> Option<String>;
}

/// A slot whose values are what a regular expression finds.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    slot: Arc<str>,
    regex: Regex,
}

impl Pattern {
    pub(super) fn new(slot: &str, pattern: &str) -> Result<Self> {
        let regex = RegexBuilder::new(pattern).case_insensitive(true).build().map_err(|error| {
            Error::Config(format!(
                "the guard {slot:?} has the pattern {pattern:?}, which is no regular expression: {error}"
            ))
        })?;
        Ok(Self { slot: slot.into(), regex })
    }
}

pub(super) fn read(patterns: &[Pattern], text: &str, signature: &mut Signature) {
    for Pattern { slot, regex } in patterns {
        for found in regex.captures_iter(text) {
            let Some(part) = found.get(1).or_else(|| found.get(0)).filter(|part| !part.is_empty()) else { continue };
            let value = part.as_str().to_lowercase().into();
            signature.facts.push(Fact { slot: slot.clone(), value, is_pole: false, is_aside: false });
        }
    }
    if !patterns.is_empty() {
        signature.facts.sort();
        signature.facts.dedup();
    }
}

pub(super) fn check(checks: &[Arc<dyn FactCheck>], asked: &Signature, stored: &Signature) -> Option<String> {
    let (asked, stored) = (asked.text.as_deref()?, stored.text.as_deref()?);
    checks.iter().find_map(|check| check.differs(asked, stored))
}
