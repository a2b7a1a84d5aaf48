//! Numbers as scripts and signs write them: "５", "٥", "½", "10³", "CO₂", "Ⅱ", "5‰".

use std::borrow::Cow;
use std::fmt::Write;

/// Where the ten digits of a script begin, as Unicode has them (general category Nd).
const ZEROS: [char; 13] = ['٠', '۰', '߀', '०', '০', '੦', '૦', '୦', '௦', '౦', '೦', '൦', '０'];
const FRACTIONS: [(char, &str); 13] = [
    ('½', ".5"),
    ('¼', ".25"),
    ('¾', ".75"),
    ('⅛', ".125"),
    ('⅜', ".375"),
    ('⅝', ".625"),
    ('⅞', ".875"),
    ('⅕', ".2"),
    ('⅖', ".4"),
    ('⅗', ".6"),
    ('⅘', ".8"),
    ('⅓', ".333"),
    ('⅔', ".667"),
];
const POWERS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
const ROMANS: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// The question with its numbers in the digits 0 to 9.
pub(super) fn plain(question: &str) -> Cow<'_, str> {
    if !question.chars().any(|letter| !letter.is_ascii() && says(letter).is_some()) {
        return Cow::Borrowed(question);
    }
    let mut plain = String::with_capacity(question.len() + 8);
    for letter in question.chars() {
        match says(letter) {
            None => plain.push(letter),
            Some(Said::Text(text)) => plain.push_str(text),
            Some(Said::Digit(digit)) => _ = write!(plain, "{digit}"),
            Some(Said::Power(digit)) => {
                // "10³" is a power, where "m³" is the unit "m3".
                if plain.ends_with(|before: char| before.is_ascii_digit()) {
                    plain.push('^');
                }
                _ = write!(plain, "{digit}");
            }
        }
    }
    Cow::Owned(plain)
}

enum Said {
    Digit(u32),
    Power(usize),
    Text(&'static str),
}

fn says(letter: char) -> Option<Said> {
    let code = u32::from(letter);
    let digit = ZEROS.iter().map(|zero| code.wrapping_sub(u32::from(*zero))).find(|digit| *digit < 10);
    let power = || POWERS.iter().position(|power| *power == letter).map(Said::Power);
    let level = || code.checked_sub(u32::from('₀')).filter(|digit| *digit < 10).map(Said::Digit);
    let fraction = || FRACTIONS.iter().find(|(sign, _)| *sign == letter).map(|(_, text)| Said::Text(text));
    let roman = || ROMANS.get(code.checked_sub(u32::from('Ⅰ'))? as usize).map(|text| Said::Text(text));
    let sign = || match letter {
        '‰' => Some(Said::Text(" per mille ")),
        '－' | '﹣' => Some(Said::Text("-")),
        _ => None,
    };
    digit.map(Said::Digit).or_else(power).or_else(level).or_else(fraction).or_else(roman).or_else(sign)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn numbers_have_one_writing() {
        for (written, said) in [
            ("５ sites, ٦ sites", "5 sites, 6 sites"),
            ("½ tonne, 1½ tonnes", ".5 tonne, 1.5 tonnes"),
            ("10³ t of CO₂ in m³", "10^3 t of CO2 in m3"),
            ("Phase Ⅱ", "Phase II"),
            ("５－６", "5-6"),
        ] {
            assert_eq!(plain(written), said);
        }
        assert!(matches!(plain("Émissions à 5 °C"), std::borrow::Cow::Borrowed(_)));
    }
}
