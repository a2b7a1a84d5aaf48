//! Server-sent events (WHATWG HTML, 9.2), in time linear in the bytes however they are cut.

use std::collections::VecDeque;

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SseEvent {
    /// Its name; empty where it has none.
    pub(crate) name: String,
    /// Its data, several lines joined by line feeds.
    pub(crate) data: String,
    /// Whether the stream ended before the blank line that ends an event: its data may be cut.
    pub(crate) is_cut: bool,
}

/// An event or a line is larger than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Turns bytes into events.
///
/// More lenient than the standard at the end of a stream: an event that was begun is told, marked as cut, since there are
/// servers that leave the last blank line out. An event with a name and no data is told too.
#[derive(Debug)]
pub(crate) struct SseDecoder {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// Whether the last byte was a carriage return: a line feed after it ends no second line.
    after_return: bool,
    /// Whether no line has ended yet: a byte order mark may stand before the first.
    is_start: bool,
    name: String,
    data: String,
    has_data: bool,
    events: VecDeque<SseEvent>,
    limit: usize,
}

impl SseDecoder {
    /// A decoder of events of at most `limit` bytes each.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            after_return: false,
            is_start: true,
            name: String::new(),
            data: String::new(),
            has_data: false,
            events: VecDeque::new(),
            limit,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        if self.after_return
            && let Some((first, rest)) = bytes.split_first()
        {
            self.after_return = false;
            if *first == b'\n' {
                bytes = rest;
            }
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            if self.line.is_empty() {
                self.end_line(&bytes[..end])?;
            } else {
                self.room(end)?;
                self.line.extend_from_slice(&bytes[..end]);
                let mut line = std::mem::take(&mut self.line);
                self.end_line(&line)?;
                line.clear();
                self.line = line;
            }
            let is_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if is_return {
                match bytes.split_first() {
                    Some((b'\n', rest)) => bytes = rest,
                    Some(_) => {}
                    None => self.after_return = true,
                }
            }
        }
        self.room(bytes.len())?;
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// Says that no bytes follow.
    pub(crate) fn end(&mut self) -> Result<(), TooLarge> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.end_line(&line)?;
        }
        self.end_event(true);
        Ok(())
    }

    /// The next event that is there.
    pub(crate) fn next_event(&mut self) -> Option<SseEvent> {
        self.events.pop_front()
    }

    fn room(&self, more: usize) -> Result<(), TooLarge> {
        if self.line.len() + self.data.len() + more > self.limit { Err(TooLarge) } else { Ok(()) }
    }

    fn end_line(&mut self, mut line: &[u8]) -> Result<(), TooLarge> {
        if std::mem::take(&mut self.is_start) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            self.end_event(false);
            return Ok(());
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.data.len() + value.len() > self.limit {
                    return Err(TooLarge);
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(&String::from_utf8_lossy(value));
            }
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            // Comments, ids, times to reconnect after, and what is not known.
            _ => {}
        }
        Ok(())
    }

    fn end_event(&mut self, is_cut: bool) {
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        if std::mem::take(&mut self.has_data) || !name.is_empty() {
            self.events.push_back(SseEvent { name, data, is_cut });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(chunks: &[&[u8]]) -> Vec<SseEvent> {
        let mut decoder = SseDecoder::new(1 << 20);
        for chunk in chunks {
            decoder.feed(chunk).unwrap();
        }
        decoder.end().unwrap();
        std::iter::from_fn(|| decoder.next_event()).collect()
    }

    /// The same, from the whole text at once and by the words of the standard.
    fn read_naively(bytes: &[u8]) -> Vec<SseEvent> {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut events = Vec::new();
        let mut lines: Vec<_> = text.split('\n').collect();
        // The text after the last line end is a line that did not end.
        let rest = lines.pop().filter(|rest| !rest.is_empty());
        let mut blocks = vec![Vec::new()];
        for line in lines.into_iter().chain(rest) {
            match blocks.last_mut() {
                Some(block) if !line.is_empty() => block.push(line),
                _ => blocks.push(Vec::new()),
            }
        }
        let last = blocks.len() - 1;
        for (index, block) in blocks.iter().enumerate() {
            let fields = block.iter().map(|line| line.split_once(':').unwrap_or((line, "")));
            let fields: Vec<_> = fields.map(|(name, value)| (name, value.strip_prefix(' ').unwrap_or(value))).collect();
            let data: Vec<_> = fields.iter().filter(|(name, _)| *name == "data").map(|(_, value)| *value).collect();
            let name = fields.iter().rev().find(|(name, _)| *name == "event").map_or("", |(_, value)| value);
            if !data.is_empty() || !name.is_empty() {
                // No blank line came after the last event.
                events.push(SseEvent { name: name.to_owned(), data: data.join("\n"), is_cut: index == last });
            }
        }
        events
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(b"data: {\"a\":1}".to_vec()),
            Just(b"data:\xc3\xa9".to_vec()),
            Just(b"data".to_vec()),
            Just(b"data:  two blanks".to_vec()),
            Just(b"event: error".to_vec()),
            Just(b"event:".to_vec()),
            Just(b": comment".to_vec()),
            Just(b"id: 7".to_vec()),
            Just(b"\xff\xfe: \x80".to_vec()),
            Just(b"data: \xf0\x9f".to_vec()),
            Just(b"".to_vec()),
        ]
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let end = prop_oneof![Just(&b"\n"[..]), Just(&b"\r"[..]), Just(&b"\r\n"[..])];
        let lines = prop::collection::vec((line(), end), 0..12);
        (any::<bool>(), lines, line()).prop_map(|(mark, lines, rest)| {
            let mut bytes = if mark { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
            for (line, end) in lines {
                bytes.extend(line);
                bytes.extend(end);
            }
            bytes.extend(rest);
            bytes
        })
    }

    proptest! {
        #[test]
        fn events_are_those_of_the_whole_text_wherever_the_chunks_end(
            bytes in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let (mut chunks, mut from) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([bytes.len()]) {
                chunks.push(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(read(&chunks), read_naively(&bytes));
            let single: Vec<_> = bytes.chunks(1).collect();
            prop_assert_eq!(read(&single), read_naively(&bytes));
        }
    }

    #[test]
    fn a_line_beyond_the_bound_is_refused_before_it_is_kept() {
        let mut decoder = SseDecoder::new(1000);
        let fed = (0..1000).map(|_| decoder.feed(&[b'x'; 100])).take_while(Result::is_ok).count();
        assert_eq!(fed, 10);
        let mut decoder = SseDecoder::new(1000);
        let fed = (0..1000).map(|_| decoder.feed(b"data: 0123456789\n")).take_while(Result::is_ok).count();
        assert!((80..=100).contains(&fed), "{fed} lines of one event");
    }

    #[test]
    fn a_large_line_in_small_pieces_is_copied_about_once() {
        // Quadratic time would be hours here.
        let mut decoder = SseDecoder::new(64 << 20);
        decoder.feed(b"data: ").unwrap();
        for _ in 0..(32 << 20) / 512 {
            decoder.feed(&[b'x'; 512]).unwrap();
        }
        decoder.feed(b"\n\n").unwrap();
        assert_eq!(decoder.next_event().unwrap().data.len(), 32 << 20);
    }
}
