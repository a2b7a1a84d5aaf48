use super::*;

#[test]
fn names_are_found_exactly_by_other_names_or_bare() {
    let table = PriceTable::builtin();
    let full = |name: &str| table.find(name).map(|price| format!("{}/{}", price.provider, price.model));
    assert_eq!(full("deepseek/deepseek-chat").as_deref(), Some("deepseek/deepseek-chat"));
    assert_eq!(full("fireworks_ai/kimi-k3"), full("fireworks/kimi-k3"));
    assert_eq!(full("google/gemini-2.5-pro").as_deref(), Some("gemini/gemini-2.5-pro"));
    assert_eq!(full("gpt-4o").as_deref(), Some("openai/gpt-4o"));
    assert_eq!(full("models/gemini-2.5-pro"), full("gemini/gemini-2.5-pro"));
    assert_eq!(full("OpenAI/GPT-4o").as_deref(), Some("openai/gpt-4o"));
    let llama = "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo";
    assert_eq!(full(&llama.to_lowercase()).as_deref(), Some(llama));
    for unknown in
        ["models/gpt-4", "gemini/models/", "openai/gpt-4-of-my-own", "claude", "openai/", "/", "", "openai/gpt"]
    {
        assert!(table.find(unknown).is_none(), "{unknown}");
        assert!(table.resolve(unknown).unwrap().estimated);
        assert!(table.price(unknown, &Usage::new(1, 0), Timestamp::UNIX_EPOCH).unwrap().total > Money::ZERO);
    }
}

#[test]
fn a_past_call_has_the_price_of_its_day() {
    let table = PriceTable::builtin();
    let cost = |day: &str| {
        let at = format!("{day}T12:00:00Z").parse().unwrap();
        table.price("deepseek/deepseek-v4-flash", &Usage::new(1_000_000, 0), at).unwrap().total.to_string()
    };
    assert_eq!([cost("2026-08-01"), cost("2026-08-20"), cost("2026-11-20")], ["0.14", "0.22", "0.15"]);
}

#[test]
fn own_prices_go_first_and_may_begin_at_a_date() {
    let mut table = PriceTable::builtin();
    table.set("openai/gpt-4o", PricePeriod::parse("since:2027-01-01 input=1 output=2").unwrap(), None).unwrap();
    let cost = |name: &str, at: &str| {
        table.price(name, &Usage::new(1_000_000, 0), at.parse().unwrap()).unwrap().total.to_string()
    };
    assert_eq!(cost("openai/gpt-4o", "2026-12-31T23:59:59Z"), "2.5");
    assert_eq!(cost("openai/gpt-4o", "2027-01-01T00:00:00Z"), "1");
    assert_eq!(cost("gpt-4o", "2027-01-01T00:00:00Z"), "1");
    assert!(table.set("gpt-mine", PricePeriod::parse("input=1").unwrap(), None).is_err());
}

#[test]
fn a_price_that_is_set_leaves_the_others_and_makes_nothing_free() {
    let mut table = PriceTable::builtin();
    let set = |table: &mut PriceTable, name: &str, text: &str| table.set(name, PricePeriod::parse(text).unwrap(), None);
    set(&mut table, "openai/gpt-4o", "cached_input=1").unwrap();
    set(&mut table, "openai/gpt-4", "since:2030-01-01 input=1").unwrap();
    let cost =
        |name: &str, usage: &Usage, at: &str| table.price(name, usage, at.parse().unwrap()).unwrap().total.to_string();
    let call = Usage { cached_input_tokens: 500_000, ..Usage::new(1_000_000, 1_000_000) };
    assert_eq!(cost("openai/gpt-4o", &call, "2026-12-01T00:00:00Z"), "11.75");
    assert_eq!(cost("openai/gpt-4", &Usage::new(1_000_000, 1_000_000), "2030-01-02T00:00:00Z"), "61");
    for (text, missing) in [("cached_input=1", "input"), ("input=1 reasoning=2", "output"), ("output=1", "input")] {
        let error = set(&mut table, "acme/new", text).unwrap_err().to_string();
        assert!(error.contains(&format!("none for {missing}")), "{error}");
    }
    let toml = "[models.\"acme/x\"]\ninput = \"1\"\noutput = \"2\"\n[[models.\"acme/x\".periods]]\n\
                since = \"2030-01-01\"\ninput = \"3\"";
    let own = PriceTable::from_toml(toml).unwrap();
    let both = Usage::new(1_000_000, 1_000_000);
    assert_eq!(own.price("acme/x", &both, "2030-01-02T00:00:00Z".parse().unwrap()).unwrap().total.to_string(), "5");
    assert!(PriceTable::from_toml("[models.\"acme/x\"]\ncached_input = \"1\"").is_err());
}

#[test]
fn what_a_name_was_found_to_cost_is_forgotten_where_prices_change() {
    let mut table = PriceTable::builtin();
    let cost = |table: &PriceTable| {
        let found = table.price("acme/new", &Usage::new(1_000_000, 0), Timestamp::UNIX_EPOCH).unwrap();
        (found.total.to_string(), found.estimated)
    };
    assert_eq!([cost(&table), cost(&table)], [("10".into(), true), ("10".into(), true)]);
    table.set_fallback(Fallback::Like("openai/gpt-4".into())).unwrap();
    assert_eq!(cost(&table), ("30".into(), true));
    let mut other = table.clone();
    other.set("acme/new", PricePeriod::parse("input=7").unwrap(), None).unwrap();
    assert_eq!(cost(&other), ("7".into(), false));
    table.extend(other);
    assert_eq!(cost(&table), ("7".into(), false));
    for number in 0..5000 {
        assert!(table.resolve(&format!("acme/{number}")).unwrap().estimated);
    }
    assert_eq!(cost(&table), ("7".into(), false));
}
