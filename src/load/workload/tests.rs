use super::*;
use std::collections::HashMap;

fn take(n: usize, config: EsgConfig) -> Vec<LoadRequest> {
    Esg::new(config).unwrap().take(n).collect()
}

fn rich(seed: u64) -> EsgConfig {
    EsgConfig {
        seed,
        languages: WorkloadLanguage::ALL.to_vec(),
        session_share: 0.2,
        document_share: 0.1,
        ..EsgConfig::default()
    }
}

#[test]
fn a_seed_gives_the_same_bytes_for_ever() {
    assert_eq!(
        crate::load::request::digest(&take(1_000, rich(42))),
        "25c59e2221d483d6e93dbfb57c0d5482e89705d9fc00edb35891beebb3cb5563"
    );
    assert_ne!(take(10, rich(42)), take(10, rich(43)));
}

#[test]
fn no_slot_stays_open_in_any_wording() {
    for request in take(5_000, EsgConfig { zipf: 0.0, questions: 5_000, ..rich(1) }) {
        let all = request.messages().map(|(_, content)| content).collect::<String>();
        assert!(!all.contains(['{', '}']), "{all}");
    }
}

#[test]
fn one_text_never_stands_for_two_answers() {
    let mut keys: HashMap<String, String> = HashMap::new();
    for request in take(20_000, EsgConfig { zipf: 0.5, questions: 5_000, ..rich(2) }) {
        let asked = request.messages().map(|(role, content)| [role, content].join(":")).collect::<Vec<_>>().join("\n");
        let known = keys.entry(asked.clone()).or_insert_with(|| request.answer_key.clone());
        assert_eq!(known, &request.answer_key, "{asked}");
    }
}

#[test]
fn questions_are_worded_in_several_ways() {
    let mut texts: HashMap<String, std::collections::HashSet<String>> = HashMap::new();
    for request in
        take(20_000, EsgConfig { languages: WorkloadLanguage::ALL.to_vec(), questions: 50, ..EsgConfig::default() })
    {
        texts.entry(request.answer_key).or_default().insert(request.prompt);
    }
    assert_eq!(texts.len(), 50);
    assert!(texts.values().all(|wordings| wordings.len() >= 2), "{texts:#?}");
}

#[test]
fn shares_are_kept() {
    let n = 20_000;
    let requests = take(n, EsgConfig { document_share: 0.3, ..EsgConfig::default() });
    let share =
        |wanted: fn(&LoadRequest) -> bool| requests.iter().filter(|request| wanted(request)).count() as f64 / n as f64;
    assert!((share(|request| request.kind == QuestionKind::Document) - 0.3).abs() < 0.02);
    assert!((share(|request| request.priority.name() == "low") - 0.2).abs() < 0.02);
    let mut output: Vec<u64> = requests.iter().map(|request| request.output_tokens).collect();
    output.sort_unstable();
    // The median of a lognormal is e^mu: e^5.02 is 151.
    assert!(output[n / 2].abs_diff(151) < 8, "{}", output[n / 2]);
}

#[test]
fn follow_ups_carry_the_turns_before_them() {
    let mut turns: HashMap<u64, u32> = HashMap::new();
    let mut follow_ups = 0;
    for request in take(10_000, EsgConfig { session_share: 0.3, ..EsgConfig::default() }) {
        assert_eq!(request.history.len() as u32, 2 * request.turn);
        if let Some(session) = request.session {
            let next = turns.entry(session).or_default();
            assert_eq!(request.turn, *next);
            *next += 1;
        }
        follow_ups += u32::from(request.kind == QuestionKind::FollowUp);
    }
    assert!(follow_ups > 2_000, "{follow_ups}");
}

#[test]
fn settings_out_of_range_are_refused() {
    for config in [
        EsgConfig { zipf: f64::NAN, ..EsgConfig::default() },
        EsgConfig { paraphrase_share: 1.5, ..EsgConfig::default() },
        EsgConfig { questions: 0, ..EsgConfig::default() },
        EsgConfig { tenants: vec![], ..EsgConfig::default() },
        EsgConfig { priorities: [0.0; 4], ..EsgConfig::default() },
    ] {
        assert!(matches!(Esg::new(config), Err(crate::Error::InvalidArgument(_))));
    }
}
