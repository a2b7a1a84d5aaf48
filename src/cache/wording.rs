//! Two prompts that are one wording: the same words in the same order, but for what never changes an answer.

/// What is said around a question. A single article too: who types it anew sets it or leaves it out.
const NO_PART_OF_IT: [&str; 9] = ["the", "please", "pls", "kindly", "thanks", "hi", "hello", "hey", "cheers"];
const PUNCTUATION: [char; 13] = ['.', ',', ';', ':', '?', '!', '"', '(', ')', '“', '”', '…', '\''];

/// Whether two questions say the same words in the same order, wherever the year stands.
///
/// Signs are part of a word: "C#" is not "C". What is left out are marks between words, capitals, "the" and polite words.
pub(super) fn is_one_wording(one: &str, other: &str) -> bool {
    let words = words(one);
    !words.0.is_empty() && words == self::words(other)
}

/// The words of a question, and the year behind the only "in" that has one.
fn words(question: &str) -> (Vec<String>, Option<String>) {
    let mut words: Vec<String> = question
        .split_whitespace()
        .map(|word| word.trim_matches(PUNCTUATION).to_lowercase())
        .filter(|word| !word.is_empty() && !NO_PART_OF_IT.contains(&&**word))
        .collect();
    let is_year = |word: &str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    let mut places = (1..words.len()).filter(|&at| words[at - 1] == "in" && is_year(&words[at]));
    let year = match (places.next(), places.next()) {
        (Some(at), None) => words.drain(at - 1..=at).next_back(),
        _ => None,
    };
    (words, year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_politeness_marks_and_the_place_of_the_year_are_no_other_wording() {
        let question = "What were gross Scope 1 emissions in 2024?";
        for same in [
            "what were the gross scope 1 emissions in 2024",
            "Please, what were gross Scope 1 emissions in 2024?",
            "In 2024, what were gross Scope 1 emissions?",
            "Hi! What were the gross “Scope 1” emissions in 2024? Thanks",
        ] {
            assert!(is_one_wording(question, same) && is_one_wording(same, question), "{same}");
        }
    }

    #[test]
    fn every_other_word_sign_and_order_is() {
        for (one, other) in [
            ("What were gross Scope 1 emissions in 2024?", "What were gross Scope 1 emissions in 2023?"),
            ("What were gross Scope 1 emissions in 2024?", "What were net Scope 1 emissions in 2024?"),
            ("What is a target?", "What is target?"),
            ("Who audits our suppliers?", "Whom do our suppliers audit?"),
            ("Did sales in 2023 exceed costs in 2024?", "Did sales in 2024 exceed costs in 2023?"),
            ("What is C#?", "What is C?"),
            ("Is 1+1 right?", "Is 1*1 right?"),
            ("payments by governments", "payments to governments"),
            ("the", "please"),
            ("", ""),
        ] {
            assert!(!is_one_wording(one, other), "{one} | {other}");
        }
    }
}
