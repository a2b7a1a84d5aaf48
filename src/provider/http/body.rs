//! Bodies, read as far as they may go.

use bytes::Bytes;
use futures_util::StreamExt;

/// Why a body was not read to its end.
#[derive(Debug)]
pub(super) enum BodyError {
    /// It is longer than allowed; the connection is dropped.
    TooLarge,
    /// The connection failed.
    Transport(reqwest::Error),
}

/// Reads a body of at most `bound` bytes, decompressed.
pub(super) async fn read(reply: reqwest::Response, bound: usize) -> Result<Vec<u8>, BodyError> {
    let announced = reply.content_length().unwrap_or(0);
    if announced > bound as u64 {
        return Err(BodyError::TooLarge);
    }
    // What is announced is not believed before it comes.
    let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or(0).min(1 << 20));
    let mut chunks = reply.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk: Bytes = chunk.map_err(BodyError::Transport)?;
        if body.len() + chunk.len() > bound {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads the first `bound` bytes of a body, as far as they come.
pub(super) async fn read_start(reply: reqwest::Response, bound: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut chunks = reply.bytes_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        let room = bound - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    body
}
