//! The one gate that words pass on their way out of this module: it knows the provider's secrets and cuts them out.

use super::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::HashSet;

/// What stands where a secret was.
const CUT: &str = "***";

/// So many characters of a secret in a row are cut, wherever they come from in it.
const PARTIAL: usize = 8;

/// The same for hexadecimal digits, two a character.
const PARTIAL_HEX: usize = 2 * PARTIAL;

/// A secret shorter than this is cut only where it is a word of its own.
const WORD: usize = 4;

/// A text is read as written, and as meant where it was escaped once, twice or thrice.
const LEVELS: usize = 4;

/// More of a text than this is not looked at, and not let out.
const LONGEST: usize = 16 << 10;

/// Cuts secrets out of texts.
///
/// Escapes of JSON, of URLs and of HTML are read through, upper and lower case are one, and the base64 and hexadecimal
/// forms of a secret are known; a part of a secret counts as the secret.
#[derive(Clone, Default)]
pub(super) struct Gate {
    grams: HashSet<Vec<char>>,
    hex_grams: HashSet<Vec<char>>,
    short: Vec<Vec<char>>,
}

impl Gate {
    /// A gate that knows these secrets.
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut gate = Self::default();
        for secret in secrets {
            gate.learn(secret.expose());
            // "Bearer KEY", or "Basic" and the base64 of "user:KEY".
            let (scheme, rest) = secret.expose().split_once(' ').unwrap_or_default();
            gate.learn(rest);
            if scheme.eq_ignore_ascii_case("basic")
                && let Ok(pair) = STANDARD.decode(rest.trim())
                && let Ok(pair) = String::from_utf8(pair)
            {
                gate.learn(&pair);
                gate.learn(pair.split_once(':').map_or("", |(_, password)| password));
            }
        }
        gate
    }

    /// The text without secrets, control characters or more than `most` characters.
    pub(super) fn excerpt(&self, text: &str, most: usize) -> String {
        let text = &text[..text.floor_char_boundary(LONGEST)];
        let clean = self.clean(text.trim());
        let shown = |character: char| if character.is_control() { ' ' } else { character };
        let mut short: String = clean.chars().take(most).map(shown).collect();
        if clean.chars().nth(most).is_some() {
            short.push('…');
        }
        short
    }

    /// The text without secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        if self.grams.is_empty() && self.short.is_empty() {
            return text.to_owned();
        }
        let mut is_secret = vec![false; text.len()];
        for units in levels(text) {
            self.mark(&units, &mut is_secret);
        }
        let mut clean = String::with_capacity(text.len());
        let mut was_secret = false;
        for (at, character) in text.char_indices() {
            match (is_secret[at], was_secret) {
                (true, false) => clean.push_str(CUT),
                (true, true) => {}
                (false, _) => clean.push(character),
            }
            was_secret = is_secret[at];
        }
        clean
    }

    /// Marks the bytes of a text that are of a secret.
    fn mark(&self, units: &[Unit], is_secret: &mut [bool]) {
        let characters: Vec<char> = units.iter().map(|unit| unit.character).collect();
        let mut fill = |from: usize, length: usize| {
            if let (Some(first), Some(last)) = (units.get(from), units.get(from + length - 1)) {
                is_secret[first.from..last.until].fill(true);
            }
        };
        for (length, grams) in [(PARTIAL, &self.grams), (PARTIAL_HEX, &self.hex_grams)] {
            for (from, window) in characters.windows(length).enumerate() {
                if grams.contains(window) {
                    fill(from, length);
                }
            }
        }
        for short in &self.short {
            for (from, window) in characters.windows(short.len()).enumerate() {
                let is_end = |at: Option<&char>| at.is_none_or(|character| !character.is_alphanumeric());
                let stands_alone =
                    is_end(from.checked_sub(1).map(|at| &characters[at])) && is_end(characters.get(from + short.len()));
                if window == short.as_slice() && (short.len() >= WORD || stands_alone) {
                    fill(from, short.len());
                }
            }
        }
    }

    fn learn(&mut self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        for units in levels(secret) {
            let plain: Vec<char> = units.into_iter().map(|unit| unit.character).collect();
            if plain.len() < PARTIAL {
                self.short.push(plain);
            } else {
                self.grams.extend(plain.windows(PARTIAL).map(<[char]>::to_vec));
            }
        }
        for form in in_base64(secret) {
            let form: Vec<char> = form.to_ascii_lowercase().chars().collect();
            self.grams.extend(form.windows(PARTIAL).map(<[char]>::to_vec));
        }
        let hex: Vec<char> =
            secret.bytes().flat_map(|byte| format!("{byte:02x}").chars().collect::<Vec<_>>()).collect();
        self.hex_grams.extend(hex.windows(PARTIAL_HEX).map(<[char]>::to_vec));
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate(..)")
    }
}

/// The characters of the base64 of any text that has the secret in it which depend on the secret alone: they are the
/// same up to where in three bytes the secret begins.
fn in_base64(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let bytes = [&vec![0; before], secret.as_bytes()].concat();
        let (from, until) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            forms.extend(text.get(from..until).map(str::to_owned));
        }
    }
    forms
}

/// One character as it was meant, and the bytes that it was written in.
struct Unit {
    character: char,
    from: usize,
    until: usize,
}

/// A text as it was written, and as it was meant, escaped up to so often.
fn levels(text: &str) -> Vec<Vec<Unit>> {
    let mut levels = vec![as_written(text)];
    while levels.len() < LEVELS
        && let Some(last) = levels.last()
    {
        let next = decode(last);
        if next.len() == last.len() {
            break;
        }
        levels.push(next);
    }
    levels
}

/// Reads the escapes in what was read so far.
fn decode(units: &[Unit]) -> Vec<Unit> {
    let text: String = units.iter().map(|unit| unit.character).collect();
    // The unit that each byte of the text belongs to.
    let owners: Vec<usize> =
        (0..).zip(units).flat_map(|(index, unit)| std::iter::repeat_n(index, unit.character.len_utf8())).collect();
    let mut decoded = Vec::with_capacity(units.len());
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let (character, length) = escape(&text[at..]).unwrap_or((first, first.len_utf8()));
        let (from, until) = (units[owners[at]].from, units[owners[at + length - 1]].until);
        decoded.push(Unit { character: character.to_ascii_lowercase(), from, until });
        at += length;
    }
    decoded
}

fn as_written(text: &str) -> Vec<Unit> {
    let unit = |(from, character): (usize, char)| Unit {
        character: character.to_ascii_lowercase(),
        from,
        until: from + character.len_utf8(),
    };
    text.char_indices().map(unit).collect()
}

/// The character that a text begins with in an escaped form, and the length of that form.
fn escape(text: &str) -> Option<(char, usize)> {
    match text.as_bytes().first()? {
        b'\\' => {
            // JSON in JSON doubles the backslashes.
            let run = text.bytes().take_while(|byte| *byte == b'\\').count();
            let rest = &text[run..];
            let (character, length) = match rest.as_bytes().first() {
                Some(b'u') => (hex(rest.get(1..5)?).unwrap_or('\\'), 5),
                Some(b'x') => (hex(rest.get(1..3)?).unwrap_or('\\'), 3),
                Some(mark @ (b'"' | b'/' | b'\'')) => (char::from(*mark), 1),
                _ => ('\\', 0),
            };
            Some(if character == '\\' { ('\\', run) } else { (character, run + length) })
        }
        b'%' => {
            // So do percent signs, as %25.
            let mut rest = &text[1..];
            while let Some(inner) = rest.strip_prefix("25").filter(|inner| hex(inner.get(..2).unwrap_or("")).is_some())
            {
                rest = inner;
            }
            Some((hex(rest.get(..2)?)?, text.len() - rest.len() + 2))
        }
        b'&' => {
            let name = text.get(1..)?.split_once(';')?.0;
            let character = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                number => match number.strip_prefix('#')?.strip_prefix(['x', 'X']) {
                    Some(digits) => hex(digits)?,
                    None => char::from_u32(number[1..].parse().ok()?)?,
                },
            };
            Some((character, name.len() + 2))
        }
        _ => None,
    }
}

fn hex(digits: &str) -> Option<char> {
    let is_hex = !digits.is_empty() && digits.len() <= 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "sk-Canary+7/Qv\"2&x=%41zP";

    fn gate() -> Gate {
        Gate::new(&[Secret::new(KEY)])
    }

    fn percent(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    #[test]
    fn a_secret_is_cut_in_every_form_that_a_server_may_send_it_in() {
        let json = serde_json::to_string(KEY).unwrap();
        let json = json.trim_matches('"');
        let unicode: String = KEY.chars().map(|character| format!("\\u{:04x}", u32::from(character))).collect();
        let forms = [
            KEY.to_owned(),
            format!("Bearer {KEY}"),
            json.to_owned(),
            json.replace('/', "\\/"),
            serde_json::to_string(json).unwrap().trim_matches('"').to_owned(),
            unicode.clone(),
            serde_json::to_string(&unicode).unwrap(),
            percent(KEY),
            percent(&percent(KEY)),
            KEY.replace('%', "%25").replace('+', "%2B").replace('/', "%2f"),
            KEY.replace('&', "&amp;").replace('"', "&quot;"),
            KEY.replace('+', "&#43;").replace('/', "&#x2F;"),
            STANDARD.encode(KEY),
            STANDARD.encode(format!("user:{KEY}")),
            STANDARD.encode(format!(":{KEY}")),
            URL_SAFE_NO_PAD.encode(format!("a long name:{KEY}")),
            KEY.to_uppercase(),
            KEY.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ];
        for form in forms {
            let told = gate().clean(&format!("we got {form} from you"));
            assert!(!told.contains(&form), "{form} in {told}");
            assert!(told.contains(CUT) && told.starts_with("we got "), "{told} of {form}");
            assert!(told.len() < 40, "{told} of {form}");
        }
    }

    #[test]
    fn other_words_stay_as_they_are() {
        let told = "HTTP 400: \\u0041 & 20% of \\\"model\\\" é ✓ &unknown; %zz \\";
        assert_eq!(gate().clean(told), told);
        assert_eq!(Gate::default().clean(told), told);
    }

    #[test]
    fn a_short_secret_is_cut_too() {
        let gate = Gate::new(&[Secret::new("abc"), Secret::new("passw")]);
        assert_eq!(gate.clean("abc, abcd, xpasswx"), "***, abcd, x***x");
    }

    #[test]
    fn the_password_of_basic_authentication_is_a_secret_of_its_own() {
        let gate = Gate::new(&[Secret::new(&format!("Basic {}", STANDARD.encode("user:opensesame")))]);
        assert_eq!(gate.clean("password opensesame refused"), "password *** refused");
    }

    proptest! {
        #[test]
        fn no_eight_characters_of_a_secret_come_through(
            secret in "[!-~]{8,60}", before in "\\PC{0,20}", after in "\\PC{0,20}", range in any::<(prop::sample::Index, prop::sample::Index)>(),
        ) {
            let from = range.0.index(secret.len() - 7);
            let until = from + 8 + range.1.index(secret.len() - from - 7);
            let told = Gate::new(&[Secret::new(&secret)]).clean(&format!("{before}|{}|{after}", &secret[from..until]));
            let shown: Vec<char> = told.to_ascii_lowercase().chars().collect();
            let hidden: Vec<char> = secret[from..until].to_ascii_lowercase().chars().collect();
            prop_assume!(!format!("{before}|{after}").to_ascii_lowercase().contains(&secret[from..until].to_ascii_lowercase()));
            prop_assert!(!shown.windows(hidden.len()).any(|window| window == hidden), "{told:?}");
        }

        #[test]
        fn any_text_passes(text in "\\PC*", secret in "\\PC{0,30}") {
            Gate::new(&[Secret::new(&secret)]).excerpt(&text, 300);
        }
    }
}
