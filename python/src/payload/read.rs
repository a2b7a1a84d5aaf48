//! JSON text to Python, without a value of the core in between.
//!
//! `serde_json` cannot read it: with numbers of any length it gives a number as a map with a key of its own, and takes a
//! dict with that key for a number.

use super::{number_to_py, unreadable};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyString};

/// Deeper than anything that is written: what the core puts around a value is in it as well.
const MAX_DEPTH: usize = 256;

pub(super) fn value_of<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let text = std::str::from_utf8(text).map_err(|error| unreadable(&error.to_string()))?;
    let mut reader = Reader { py, text, at: 0 };
    let value = reader.value(MAX_DEPTH)?;
    match reader.next() {
        None => Ok(value),
        Some(_) => Err(reader.unexpected()),
    }
}

struct Reader<'a, 'py> {
    py: Python<'py>,
    text: &'a str,
    at: usize,
}

impl<'a, 'py> Reader<'a, 'py> {
    fn unexpected(&self) -> PyErr {
        unreadable(&format!("unexpected content at byte {}", self.at))
    }

    /// The next byte that is no white space, where there is one.
    fn next(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let skipped = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
        self.at += skipped;
        rest.get(skipped).copied()
    }

    /// Steps over a byte, if it is the next.
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.next() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> PyResult<()> {
        if self.eat(byte) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn value(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        match self.next() {
            Some(b'"') => Ok(self.string()?.into_any()),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b't') => self.word("true", PyBool::new(py, true).to_owned().into_any()),
            Some(b'f') => self.word("false", PyBool::new(py, false).to_owned().into_any()),
            Some(b'n') => self.word("null", py.None().into_bound(py)),
            Some(b'-' | b'0'..=b'9') => {
                let rest = &self.text[self.at..];
                let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
                let number = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
                self.at += number.len();
                number_to_py(py, number)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn word(&mut self, word: &str, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.unexpected());
        }
        self.at += word.len();
        Ok(value)
    }

    fn string(&mut self) -> PyResult<Bound<'py, PyString>> {
        let rest: &'a str = &self.text[self.at..];
        let bytes = rest.as_bytes();
        let (mut end, mut plain) = (1, true);
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => (end, plain) = (end + 2, false),
                Some(_) => end += 1,
                None => return Err(self.unexpected()),
            }
        }
        self.at += end + 1;
        if plain {
            return Ok(PyString::new(self.py, &rest[1..end]));
        }
        let text: String = serde_json::from_str(&rest[..=end]).map_err(|error| unreadable(&error.to_string()))?;
        Ok(PyString::new(self.py, &text))
    }

    fn object(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let inner = self.open(depth)?;
        let dict = PyDict::new(self.py);
        if !self.eat(b'}') {
            loop {
                if self.next() != Some(b'"') {
                    return Err(self.unexpected());
                }
                let key = self.string()?;
                self.expect(b':')?;
                dict.set_item(key, self.value(inner)?)?;
                if self.eat(b'}') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        Ok(dict.into_any())
    }

    fn array(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let inner = self.open(depth)?;
        let list = PyList::empty(self.py);
        if !self.eat(b']') {
            loop {
                list.append(self.value(inner)?)?;
                if self.eat(b']') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        Ok(list.into_any())
    }

    /// Steps over the opening bracket; how much deeper it may go.
    fn open(&mut self, depth: usize) -> PyResult<usize> {
        self.at += 1;
        depth.checked_sub(1).ok_or_else(|| unreadable(&format!("it is nested more than {MAX_DEPTH} deep")))
    }
}
