//! Server-sent events, as far as the providers use them (WHATWG HTML, 9.2).

use futures_util::{Stream, StreamExt};

/// The `data` of each event of a byte stream. Ends with the stream; an error of the stream ends it with the error.
pub(super) fn events<S, B, E>(bytes: S) -> impl Stream<Item = Result<String, E>> + Send
where
    S: Stream<Item = Result<B, E>> + Send + Unpin,
    B: AsRef<[u8]> + Send,
    E: Send,
{
    futures_util::stream::unfold((bytes, Parser::default()), |(mut bytes, mut parser)| async move {
        loop {
            if let Some(event) = parser.next_event() {
                return Some((Ok(event), (bytes, parser)));
            }
            match bytes.next().await {
                Some(Ok(chunk)) => parser.buffer.extend_from_slice(chunk.as_ref()),
                Some(Err(error)) => return Some((Err(error), (bytes, parser))),
                None => return parser.rest().map(|event| (Ok(event), (bytes, parser))),
            }
        }
    })
}

#[derive(Default)]
struct Parser {
    buffer: Vec<u8>,
    data: Vec<String>,
}

impl Parser {
    fn next_event(&mut self) -> Option<String> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(event) = self.take_line(line.trim_end_matches(['\r', '\n'])) {
                return Some(event);
            }
        }
        None
    }

    fn take_line(&mut self, line: &str) -> Option<String> {
        if line.is_empty() {
            return self.rest();
        }
        if let Some(data) = line.strip_prefix("data:") {
            self.data.push(data.strip_prefix(' ').unwrap_or(data).to_owned());
        }
        None
    }

    fn rest(&mut self) -> Option<String> {
        if self.data.is_empty() { None } else { Some(std::mem::take(&mut self.data).join("\n")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn read(chunks: Vec<Vec<u8>>) -> Vec<String> {
        let stream = futures_util::stream::iter(chunks.into_iter().map(Ok::<_, ()>));
        events(Box::pin(stream)).map(|event| event.unwrap()).collect().await
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_where_the_chunks_end(cuts in prop::collection::vec(0_usize..60, 0..8)) {
            let whole = b": hello\r\ndata: {\"a\":1}\r\n\r\ndata: \xc3\xa9\ndata: two\n\ndata: [DONE]\n\n".to_vec();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.sort_unstable();
            let (mut chunks, mut from) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([whole.len()]) {
                chunks.push(whole[from..cut].to_vec());
                from = cut;
            }
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            prop_assert_eq!(runtime.block_on(read(chunks)), ["{\"a\":1}", "é\ntwo", "[DONE]"]);
        }
    }
}
