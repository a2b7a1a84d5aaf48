//! A fixed script and the digest that a server knows it by.

use std::collections::HashMap;

/// How a line begins that names something: `--def NAME value`.
const NAMES: &str = "--def ";

/// A script: what its room's scripts share, and its own part.
pub(crate) struct RedisScript {
    text: String,
    digest: String,
}

impl RedisScript {
    /// Puts a script together from its parts. Keep it in a static: the digest is worked out here.
    ///
    /// `--def NAME value` puts the value in place of the name, in capitals, wherever it stands. Comments stay here.
    pub(crate) fn new(parts: &[&str]) -> Self {
        let lines = || parts.iter().flat_map(|part| part.lines());
        let names: HashMap<&str, &str> = lines().filter_map(|line| line.strip_prefix(NAMES)?.split_once(' ')).collect();
        let mut text = String::new();
        for line in lines().filter(|line| !line.trim_start().starts_with("--")) {
            name_values(line, &names, &mut text);
            text.push('\n');
        }
        let digest = redis::Script::new(&text).get_hash().to_owned();
        Self { text, digest }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn digest(&self) -> &str {
        &self.digest
    }
}

/// A line with the values of the names in it.
fn name_values(line: &str, names: &HashMap<&str, &str>, text: &mut String) {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut rest = line;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|character| !is_part(character)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        text.push_str(before);
        text.push_str(names.get(word).copied().unwrap_or(word));
        rest = after;
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_as_whole_words_and_comments_are_left_out() {
        let script = RedisScript::new(&[
            "--def META KEYS[1]\n--def OLD 3\n-- META of OLD",
            "  -- OLD\nget(META, OLD, OLDER, 'BOLD', x_OLD) -- é",
        ]);
        assert_eq!(script.text(), "get(KEYS[1], 3, OLDER, 'BOLD', x_OLD) -- é\n");
    }
}
