//! What of a call the cache compares by meaning, and what it compares to the letter.

use crate::cache::{EntryKey, scope};
use crate::chat::{Part, Request, Role};
use serde_json::Value;

/// A call as the cache sees it: made once, used for the lookup, the flight and the store.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// The last words of the user: compared by meaning.
    pub(super) prompt: String,
    /// All the rest, as canonical JSON: must be equal.
    pub(super) scope: String,
    /// The digest of tenant, scope and prompt.
    pub(super) key: EntryKey,
}

impl Question {
    /// None where no user says a word: there is nothing to compare.
    pub(super) fn of(request: &Request, tenant: &str) -> Option<Self> {
        let place = request.messages.iter().rposition(|message| message.role == Role::User)?;
        let part = request.messages[place].parts.iter().rposition(|part| part.as_text().is_some())?;
        let mut rest = request.clone();
        let words = rest.messages.get_mut(place)?.parts.get_mut(part)?;
        let Part::Text { text, .. } = words else { return None };
        let prompt = std::mem::take(text);
        if prompt.trim().is_empty() {
            return None;
        }
        // How usage is told changes no answer.
        rest.extra.remove("stream_options");
        let scope = scope::canonical(&serde_json::to_value(&rest).unwrap_or(Value::Null));
        let key = EntryKey::of(tenant, Some(&scope), &prompt);
        Some(Self { prompt, scope, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Message;
    use serde_json::json;

    fn asked(parts: &[&str]) -> Question {
        let mut request = Request::of_prompt("openai/gpt-4o", "");
        request.messages[0].parts = parts.iter().map(|text| Part::text(*text)).collect();
        Question::of(&request, "default").unwrap()
    }

    #[test]
    fn a_moved_boundary_between_parts_is_another_question() {
        let ways: [&[&str]; 4] = [&["a\nb"], &["a", "b"], &["a\n", "b"], &["", "a\nb"]];
        let mut keys: Vec<_> = ways.iter().map(|parts| asked(parts).key.to_string()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), ways.len());
    }

    #[test]
    fn all_but_the_last_words_of_the_user_is_scope() {
        let mut request = Request::of_prompt("openai/gpt-4o", "and in 2024?");
        request.messages.insert(0, Message::text(Role::Assistant, "1,204 t"));
        let with = |change: &dyn Fn(&mut Request)| {
            let mut changed = request.clone();
            change(&mut changed);
            Question::of(&changed, "default").unwrap()
        };
        let same = with(&|_| {});
        assert_eq!(same.prompt, "and in 2024?");
        assert!(same.scope.contains("1,204 t") && !same.scope.contains("2024"));
        let changes: [&dyn Fn(&mut Request); 6] = [
            &|request| request.model = "openai/gpt-4o-mini".into(),
            &|request| request.messages[0].role = Role::User,
            &|request| request.sampling.temperature = Some(0.5),
            &|request| request.limits.max_output_tokens = Some(9),
            &|request| request.messages[1].name = Some("ann".into()),
            &|request| drop(request.extra.insert("verbosity".into(), json!("low"))),
        ];
        for change in changes {
            assert_ne!(with(change).scope, same.scope);
        }
        assert_eq!(with(&|request| drop(request.extra.insert("stream_options".into(), json!({})))).scope, same.scope);
    }

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        let with = |number: Value| {
            let mut request = Request::of_prompt("openai/gpt-4o", "Hi");
            request.extra.insert("verbosity".into(), number);
            Question::of(&request, "default").unwrap().key
        };
        assert!(with(json!(0)) == with(json!(0.0)));
    }
}
