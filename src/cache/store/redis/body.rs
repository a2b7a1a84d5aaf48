//! An entry as Redis keeps it: a head in JSON, the answer, the vector, and a checksum over all.

use super::super::StoredEntry;
use crate::store::Checksum;
use crate::{Error, Payload, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// What of an entry is text and numbers.
#[derive(Serialize, Deserialize)]
struct BodyHead<'a> {
    tenant: Cow<'a, str>,
    scope: Option<Cow<'a, str>>,
    prompt: Cow<'a, str>,
    tags: Cow<'a, [String]>,
    created_ms: u64,
    expires_ms: Option<u64>,
    /// In attodollars.
    cost: Option<String>,
    is_json: bool,
    /// Bytes of the answer.
    response: usize,
    has_vector: bool,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn sum(bytes: &[u8]) -> [u8; 4] {
    Checksum::of("cache_entries").bytes(bytes).finish().to_le_bytes()
}

/// The bytes of an entry; its id and whether it is rejected stand beside them.
pub(super) fn body_of(entry: &StoredEntry, is_binary: bool) -> Result<Vec<u8>> {
    let head = BodyHead {
        tenant: Cow::Borrowed(&entry.tenant),
        scope: entry.scope.as_deref().map(Cow::Borrowed),
        prompt: Cow::Borrowed(&entry.prompt),
        tags: Cow::Borrowed(&entry.tags),
        created_ms: millis(entry.created),
        expires_ms: entry.expires.map(millis),
        cost: entry.cost.map(|cost| cost.to_string()),
        is_json: matches!(entry.response, Payload::Json(_)),
        response: entry.response.as_bytes().len(),
        has_vector: entry.vector.is_some(),
    };
    let head =
        serde_json::to_vec(&head).map_err(|error| Error::Store(format!("an entry cannot be written: {error}")))?;
    let mut bytes = (head.len() as u32).to_le_bytes().to_vec();
    bytes.extend(head);
    bytes.extend(entry.response.as_bytes());
    for x in entry.vector.iter().flat_map(|vector| vector.iter()) {
        bytes.extend(x.to_le_bytes());
    }
    bytes.extend(sum(&bytes));
    Ok(if is_binary { bytes } else { STANDARD.encode(bytes).into_bytes() })
}

/// The entry; nothing where the bytes are not what was written.
pub(super) fn entry_of(id: u64, is_rejected: bool, body: &[u8], is_binary: bool) -> Option<StoredEntry> {
    let decoded = if is_binary { Cow::Borrowed(body) } else { Cow::Owned(STANDARD.decode(body).ok()?) };
    let (bytes, found) = decoded.split_last_chunk::<4>()?;
    if sum(bytes) != *found {
        return None;
    }
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (head, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let head: BodyHead<'_> = serde_json::from_slice(head).ok()?;
    let (response, floats) = rest.split_at_checked(head.response)?;
    let response = bytes::Bytes::copy_from_slice(response);
    Some(StoredEntry {
        id,
        tenant: head.tenant.into(),
        scope: head.scope.map(Into::into),
        prompt: head.prompt.into(),
        response: if head.is_json { Payload::Json(response) } else { Payload::Bytes(response) },
        vector: head.has_vector.then(|| floats.as_chunks::<4>().0.iter().map(|&x| f32::from_le_bytes(x)).collect()),
        tags: head.tags.into_owned().into(),
        created: Duration::from_millis(head.created_ms),
        expires: head.expires_ms.map(Duration::from_millis),
        cost: head.cost.map(|cost| cost.parse()).transpose().ok()?,
        is_rejected,
    })
}

/// The entry of bytes that a fitting sum is put behind.
#[cfg(any(test, fuzzing))]
pub(crate) fn read_summed(bytes: &[u8]) -> Option<StoredEntry> {
    entry_of(1, false, &[bytes, &sum(bytes)].concat(), true)
}
