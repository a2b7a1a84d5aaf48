//! What must hold of any two questions, and what each slot must tell apart.

use super::*;
use proptest::prelude::*;

fn verdict(asked: &str, stored: &str) -> Verdict {
    let guards = Guards::standard();
    guards.compare(&guards.signature(asked), &guards.signature(stored))
}

/// Pieces of questions, to be put together at random.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "What",
            "was",
            "not",
            "Scope",
            "scope 1",
            "scopes 1, 2 and 3",
            "FY23",
            "Q3",
            "2023/24",
            "31.12.2023",
            "E1-6",
            "GRI 305-1",
            "5 %",
            "1,200.5",
            "kWh",
            "half",
            "two thirds",
            "from",
            "to",
            "than",
            "Acme's",
            "CO2e",
            "don't",
            "l'eau",
            "non-financial",
            "emissions",
            "increase",
            "in",
            "May",
            "€",
            "3Q",
            "1st quarter",
            "category 11",
            "unsafe",
            "gave",
            "received",
            "audited",
            "suppliers",
            "by",
            "us",
            "we",
            "affects",
            "women",
            "share of",
            "excluded",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}",
        "[A-Za-z0-9.,'’/%-]{1,10}",
    ]
}

fn question() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #[test]
    fn a_question_asks_what_it_asks(text in question()) {
        prop_assert_eq!(verdict(&text, &text), Verdict::Pass { agreement: 1.0 });
    }

    #[test]
    fn the_order_of_the_two_does_not_matter(one in question(), other in question()) {
        prop_assert_eq!(verdict(&one, &other).is_pass(), verdict(&other, &one).is_pass());
    }

    #[test]
    fn no_text_is_too_strange(text in any::<String>(), other in "\\PC{0,40}") {
        let _ = verdict(&text, &other);
    }

    #[test]
    fn another_year_is_another_question(one in 1950_u32..2099, other in 1950_u32..2099) {
        let ask = |year| format!("What were the emissions of Acme in {year}?");
        let passed = verdict(&ask(one), &ask(other)).is_pass();
        prop_assert_eq!(passed, one == other);
    }

    #[test]
    fn another_number_is_another_question(one in 0_u32..100_000, other in 0_u32..100_000) {
        let ask = |amount| format!("Did Acme save {amount} kWh?");
        prop_assert_eq!(verdict(&ask(one), &ask(other)).is_pass(), one == other);
    }
}

/// Questions that differ in one slot, and what the guards say.
#[test]
fn every_slot_blocks_and_says_why() {
    let mut unlike = Vec::new();
    for (asked, stored, why) in [
        ("Scope 1 emissions in 2024", "Scope 1 emissions in 2023", "year 2024 differs from 2023"),
        ("Emissions in FY24", "Emissions in fiscal year 2023", "year 2024 differs from 2023"),
        ("Scope 1 emissions", "Scope 2 emissions", "scope 1 differs from 2"),
        ("Scope 3 category 4", "Scope 3 category 11", "category 4 differs from 11"),
        ("Energy use in Q3", "Energy use in the first quarter", "quarter 3 differs from 1"),
        ("Energy use in March 2023", "Energy use in May 2023", "month March differs from May"),
        ("Energy use in kWh", "Energy use in MWh", "unit kWh differs from MWh"),
        ("Fines in EUR", "Fines in $", "unit EUR differs from USD"),
        ("A 50 % cut", "A 30 percent cut", "percentage 50 differs from 30"),
        ("What does GRI 305-1 require?", "What does GRI 305-2 require?", "code 305-1 differs from 305-2"),
        ("Explain ESRS E1-6", "Explain ESRS S1-6", "code E1-6 differs from S1-6"),
        ("Sites certified to ISO 14001", "Sites certified to ISO 50001", "code 14001 differs from 50001"),
        ("Methane emissions", "SF6 emissions", "chemical CH4 differs from SF6"),
        (
            "Market-based scope 2 emissions",
            "Location-based scope 2 emissions",
            "method market-based differs from location-based",
        ),
        ("Climate mitigation targets", "Climate adaptation targets", "response mitigation differs from adaptation"),
        ("Gross emissions", "Net emissions", "gross or net gross differs from net"),
        ("Why did waste increase?", "Why did waste decrease?", "change increase differs from decrease"),
        ("Maximum noise level", "Minimum noise level", "extreme largest differs from smallest"),
        ("Water use of Lyon", "Water use of Porto", "name “Lyon” is asked about, the stored question does not say it"),
        ("Is it safe?", "Is it unsafe?", "polarity: “safe” is the opposite of “unsafe”"),
        ("Energy use of our sites", "Water use of our sites", "subject energy differs from water"),
        ("Convert kWh to MWh", "Convert MWh to kWh", "order: unit kWh → unit MWh differs from unit MWh → unit kWh"),
        ("Why did emissions rise?", "When did emissions rise?", "asks for reason, the stored question for time"),
        (
            "Which suppliers have not signed?",
            "Which suppliers have signed?",
            "negation: the asked question negates, the stored one does not",
        ),
        (
            "Wie hoch waren die Emissionen in 2023?",
            "What were the emissions in 2023?",
            "language German differs from English",
        ),
        ("Emissions in 2023", "Emissions", "year 2023 is asked for, the stored question does not name it"),
    ] {
        let said = verdict(asked, stored);
        let reason = said.reason().unwrap_or("passed");
        if reason.to_lowercase() != why.to_lowercase() {
            unlike.push(format!("{asked} | {stored}: {reason}"));
        }
    }
    assert!(unlike.is_empty(), "{}", unlike.join("\n"));
}

/// Two ways to ask one thing.
#[test]
fn wording_alone_does_not_block() {
    let mut blocked = Vec::new();
    for (asked, stored) in [
        ("What were Acme's scope 1 emissions in 2023?", "Acme scope 1 GHG emissions, FY23"),
        ("How much scope 1 CO2e did Acme emit in 2023?", "Scope 1 greenhouse gas total of Acme for fiscal 2023"),
        ("A cut of 50% by 2030", "A reduction of 50 percent by 2030"),
        ("Waste in tonnes", "Waste in t"),
        ("Revenue of 1,200,000 EUR", "Revenue of 1.2 million euros"),
        ("Energy use in Q3 2023", "Energy used in the third quarter of 2023"),
        ("Scopes 1 and 2", "Scope 1+2"),
        ("Report Acme Cement's scope 2 figure", "What is the scope 2 number of Acme Cement?"),
        ("What is the GWP100 of methane?", "GWP100 of CH4?"),
        ("Non-financial reporting rules", "Rules of non-financial reporting"),
        ("Which suppliers have not signed the code?", "List the suppliers that didn't sign the code"),
        ("Water withdrawal of Porto", "How much water did the Porto plant withdraw?"),
        ("two thirds of suppliers", "Two thirds of our suppliers"),
        ("What were ACME CEMENT's emissions?", "Emissions of Acme Cement"),
        ("Assets at 31 December 2023", "Assets at 31/12/2023"),
        ("Scope 3 category 9 emissions", "Emissions from downstream transportation and distribution"),
        ("Category 6 emissions of Acme", "Scope 3 emissions of Acme from business travel"),
        ("A cut of 30% no later than 2030", "A cut of 30% by 2030"),
        ("Suppliers with spend of more than EUR 250,000", "Suppliers with spend above EUR 250,000"),
        ("Explain what brought energy use down 5% in 2023", "Why did energy use fall by 5% in 2023?"),
        ("Noise level at Leeds in decibels", "Noise level at Leeds"),
        ("Is it true that Acme pays a living wage?", "Does Acme pay a living wage?"),
        ("Which suppliers were audited by us?", "Which suppliers did we audit?"),
        ("Injury rate of Lyon without contractors", "Lyon injury rate, excl. contractors"),
        ("Lyon injury rate, contractors excluded", "Injury rate of Lyon, leaving contractors out"),
        ("Must we consult the union before a closure?", "Is consulting the union before a closure mandatory for us?"),
        ("May apprentices fly first class?", "Is first class permitted for apprentices when they fly?"),
        ("When a plant closes, do we have to consult the union?", "Must we consult the union when a plant closes?"),
        ("Why was Acme's waste higher in 2022 than in 2019?", "Reasons for the rise in Acme's waste from 2019 to 2022"),
        ("Diesel emission factor 2021 kg CO2e per GJ", "Emission factor of diesel in 2021 in kg CO2e per GJ"),
        ("Scope 2 of Pune, location-based view", "Scope 2 of Pune, location-based method"),
        ("By what year does Acme aim to reach net zero?", "Target year for net zero at Acme"),
        ("What was the actual water withdrawal of Porto?", "Water withdrawal of Porto"),
        ("Waste increase 2019 to 2022 causes", "Reasons for the increase in waste from 2019 to 2022"),
        ("Difference in pay between women and men in Italy", "Gender pay gap in Italy"),
        ("How many suppliers did not pass the audit?", "Number of suppliers that failed the audit"),
        ("How did we reduce our energy use?", "How was our energy use reduced?"),
        ("Sites within 10 km of a protected area", "Sites no more than 10 km from a protected area"),
        ("Is it permissible for suppliers to use coal?", "May suppliers use coal?"),
    ] {
        if let Some(reason) = verdict(asked, stored).reason() {
            blocked.push(format!("{asked} | {stored}: {reason}"));
        }
    }
    assert!(blocked.is_empty(), "{}", blocked.join("\n"));
}

/// What is said beside the point does not block; what is said in another's place, or makes the question narrower, does.
#[test]
fn words_of_one_question_only() {
    let passes = |asked, stored| verdict(asked, stored).is_pass();
    // Those who did it, and that it was a count, go without saying.
    assert!(passes("Hours worked by the staff of Acme in 2023", "Hours worked at Acme in 2023"));
    assert!(passes("Tell me the count of near misses that Acme logged in 2023", "Acme near misses 2023"));
    // In one place two things, and a thing more.
    assert!(!passes("Which Acme sites had spills in 2023?", "Which Acme sites had floods in 2023?"));
    assert!(!passes("Acme revenue from coal in 2023", "Acme revenue in 2023"));
    assert!(!passes("How many people did Acme hire in 2023?", "How many people left Acme in 2023?"));
    assert!(!passes("How many spills were there at Lyon?", "What volume was spilled at Lyon?"));
    assert!(!passes("Share of Acme's waste sent to landfill", "How many Acme landfills are there?"));
}

/// Two things of one kind are two questions, however the rest is worded; so is a word more in the same words.
#[test]
fn what_differs_in_one_thing_differs() {
    let reason = |asked, stored| verdict(asked, stored).reason().map(str::to_owned);
    for (asked, stored) in [
        ("What area of wetland did Acme restore in 2023?", "Hectares of grassland restored by Acme, 2023"),
        ("Acme employee fatalities 2023", "How many contractors of Acme died on the job in 2023?"),
        ("How many confirmed cases of corruption were there?", "Number of alleged corruption incidents"),
        ("Floor area rated EPC A", "Floor area rated EPC D"),
        ("Why were the figures revised upwards?", "Why were the figures revised downwards?"),
        ("Sites in areas of low water stress", "Sites in areas of high water stress"),
        ("Diesel used by the Acme fleet in 2023", "How much petrol did the Acme fleet burn in 2023?"),
    ] {
        assert!(reason(asked, stored).is_some(), "{asked} | {stored}");
    }
    assert_eq!(
        reason("Wetland restored by Acme", "Grassland restored by Acme").as_deref(),
        Some("“Wetland” differs from “Grassland”")
    );
}

/// How a question is put, and what its answer is for, is no part of it.
#[test]
fn how_it_is_asked_does_not_matter() {
    for (asked, stored) in [
        ("I'd like to know Acme's scope 1 emissions in 2023", "What were Acme's scope 1 emissions in 2023?"),
        ("For our annual report, what were Acme's scope 1 emissions in 2023?", "Acme scope 1 emissions 2023"),
        ("For the newsletter, what were Acme's scope 1 emissions in 2023?", "Acme scope 1 emissions 2023"),
        ("Is the fund Article 8 under SFDR, yes or no?", "Is the fund Article 8 under SFDR?"),
        ("When is the CDP disclosure of Acme due?", "Acme CDP disclosure, due date"),
        ("When Acme reports, how does it treat leases?", "How does Acme treat leases when it reports?"),
        ("Which location-based target has Acme set for 2030?", "Acme target 2030, location-based"),
        ("What was behind the fall in Acme's waste in 2023?", "Why did Acme's waste fall in 2023?"),
        ("Before the merger, what was the target?", "What was the target before the merger?"),
        ("What is the difference between GRI and SASB?", "What is the difference between SASB and GRI?"),
        ("Are emissions in Spain and Italy reported?", "Are emissions in Italy and Spain reported?"),
        ("What were the emissions in 2023 at Acme?", "What were the emissions at Acme in 2023?"),
        ("Which risks were identified by Acme?", "Risks identified by Acme"),
        ("What are CO₂ emissions?", "What are CO2 emissions?"),
        ("What are Nestlé's emissions?", "What are Nestle's emissions?"),
        ("Lisbon: recycling target reached or not?", "Lisbon: recycling target reached?"),
    ] {
        assert_eq!(verdict(asked, stored).reason(), None, "{asked} | {stored}");
    }
    // A site is no purpose, and people are none.
    assert!(!verdict("For our suppliers, how many audits were there?", "How many audits were there?").is_pass());
}

/// Found by somebody who tried to be served another question's answer.
#[test]
fn what_a_hostile_reader_found_is_blocked() {
    let mut served = Vec::new();
    for (asked, stored) in [
        ("For our ACME report, what were scope 1 emissions?", "For our BASF report, what were scope 1 emissions?"),
        ("In the first quarter report, what were emissions?", "In the second quarter report, what were emissions?"),
        ("In the water plan, what are the targets for 2030?", "In the waste plan, what are the targets for 2030?"),
        ("For the supplier questionnaire, how many answers?", "For the employee questionnaire, how many answers?"),
        ("For our supplier questionnaire, how many answers?", "For our employee questionnaire, how many answers?"),
        ("For our acme report, what is the water target?", "For our globex report, what is the water target?"),
        ("To the regulator, what must be disclosed?", "What must be disclosed?"),
        ("In which section, if any, is water covered?", "Is water covered?"),
        ("Did Acme vote yes or abstain on the resolution?", "Did Acme vote yes or object on the resolution?"),
        ("CDP score A- in 2023", "CDP score A in 2023"),
        ("Is the bond rated BBB+?", "Is the bond rated BBB-?"),
        ("EPC rating: A", "EPC rating: D"),
        ("Change of +5% in emissions", "Change of -5% in emissions"),
        ("Sites with < 5 employees", "Sites with > 5 employees"),
        ("Is it ≥ 5%?", "Is it ≤ 5%?"),
        ("Emissions of site b in 2023", "Emissions of site c in 2023"),
        ("How many offices does Acme have?", "How many factories does Acme have?"),
        ("Did Acme acquire Globex?", "Did Globex acquire Acme?"),
        ("Share of women among managers", "Share of managers among women"),
        ("Tyrell 2022 gender pay gap, mean", "Tyrell 2022 gender pay gap, median"),
        ("What payments were made to governments?", "What payments were made by governments?"),
        ("What are lawsuits against the company?", "What are lawsuits by the company?"),
        ("What was the waste diverted to disposal?", "What was the waste diverted from disposal?"),
        ("Was Acme acquired by Globex?", "Did Acme acquire Globex?"),
        ("Is coal allowed until 2030?", "Is coal allowed from 2030?"),
        ("Did the company reach net zero?", "Will the company reach net zero?"),
        ("Must firms report Scope 3?", "Should firms report Scope 3?"),
        ("Do Shell and BP have a 2030 and a 2050 target?", "Do Shell and BP have a 2050 and a 2060 target?"),
        ("Does Shell have a 2030 target and BP a 2050 target?", "Does BP have a 2030 target and Shell a 2050 target?"),
        ("Reduce scope 1 by 50% and scope 3 by 30%?", "Reduce scope 1 by 30% and scope 3 by 50%?"),
        ("What is the ratio of scope 1 to scope 2?", "What is the ratio of scope 2 to scope 1?"),
        ("What percentage of women are managers?", "What percentage of managers are women?"),
        ("How many women under 30 and men over 50?", "How many men under 30 and women over 50?"),
        ("Which suppliers failed the audit?", "How many suppliers failed the audit?"),
        ("How does Shell verify its emissions?", "Does Shell verify its emissions?"),
        ("Is there a fine for late filing?", "How much is the fine for late filing?"),
        ("What does GRI 305-1-a require?", "What does GRI 305-1-b require?"),
        ("What is Article 8(1)(a) of SFDR?", "What is Article 8(1)(b) of SFDR?"),
        ("Are only scope 1 emissions verified?", "Are scope 1 emissions verified?"),
        ("Are many suppliers audited?", "Are few suppliers audited?"),
        ("Which sites use both gas and coal?", "Which sites use either gas or coal?"),
        ("What are Total's emissions in 2023?", "What are the total emissions in 2023?"),
        ("Was the target set before the audit was completed?", "Was the audit completed before the target was set?"),
        ("Are we in scope of the CSRD?", "Are we out of scope of the CSRD?"),
        ("Share of drivers paid more than the living wage", "Drivers paid less than the living wage, share"),
        ("Drivers paid more than the living wage, 2022", "Drivers paid exactly the living wage, 2022"),
        ("Findings when our customers audited us", "Findings when we audited our customers"),
        (
            "How many findings when our customers audited us?",
            "How many findings when our customers audited our suppliers?",
        ),
        ("Which sites outside protected areas were sold?", "Which sites in protected areas were sold?"),
        ("Microplastics that Acme released to air, tonnes", "How many tonnes of microplastics went into soil at Acme?"),
        ("What drove Acme's energy use up 5%?", "What was behind the 5% fall in Acme's energy use?"),
        ("Scope 3 category 4 emissions of Acme", "Emissions of Acme from downstream transport"),
        ("Emissions of Acme excluding franchises", "Emissions of Acme including franchises"),
        ("Leaving contractors out, what was the rate?", "What was the rate, contractors included?"),
        ("Recycling rate, counting joint ventures only", "Recycling rate, with joint ventures included"),
        ("Sites with energy use down more than 10%", "Sites with energy use up more than 10%"),
        ("Energy spending was up in 2021, why?", "Energy spending was down in 2021, why?"),
        ("Which funds moved from Article 6 to Article 8?", "Which funds moved from Article 8 to Article 6?"),
        ("What notice must tenants give the landlord?", "What notice must the landlord give tenants?"),
        ("Mean annual pay gap in Italy", "Mean hourly pay gap in Italy"),
        ("Are suppliers allowed to use coal?", "Do suppliers have to use coal?"),
        ("Funds level with their benchmark", "Funds below their benchmark"),
        ("How much of the 2022 budget was spent?", "How much of the 2022 budget was frozen?"),
        ("How much water did Porto withdraw in 2022?", "What was the water withdrawal target of Porto in 2022?"),
        ("How much water did Porto withdraw in 2022?", "What was the water withdrawal cost of Porto in 2022?"),
        ("What share of the packaging can be recycled?", "What share of the packaging is recycled material?"),
        ("Interest paid to the parent company", "Interest received from the parent company"),
        ("What was the actual cost of the pumps?", "What was the planned cost of the pumps?"),
        ("Complaints filed by our suppliers", "Complaints filed against our suppliers"),
        ("What was the water bill of the dairy?", "How much water did the dairy use?"),
        ("Which entities does the report cover?", "Which entities are out of the scope of the report?"),
        ("How many suppliers did not pass the audit?", "How many suppliers passed the audit?"),
        ("Emissions of our mine in Peru", "Emissions of our mill in Peru"),
        ("Total value of our environmental fines in Canada", "Number of our environmental fines in Canada"),
        ("How much CO2e was prevented by our lamps?", "How much CO2e was emitted by our lamps?"),
        ("How many employees chose to leave Porto?", "How many employees were made to leave Porto?"),
        ("How does heat affect our business?", "How does heat affect local people?"),
        ("Site with the highest growth in water use", "Site with the highest water use"),
        ("Hours of training that the legal team gave", "Hours of training given to the legal team"),
        ("How much did the Green Trust donate to us?", "How much did we donate to the Green Trust?"),
        ("What share of our cocoa is certified, by value?", "What share of our cocoa is certified, by weight?"),
        ("Why are we still using chlorine at Lyon?", "Why did we stop using chlorine at Lyon?"),
        ("When will our privacy policy next be reviewed?", "When did our privacy policy have its latest review?"),
    ] {
        for (one, other) in [(asked, stored), (stored, asked)] {
            if verdict(one, other).is_pass() {
                served.push(format!("{one} | {other}"));
            }
        }
    }
    assert!(served.is_empty(), "{}", served.join("\n"));
}

/// Found by a reviewer: roles that a question gives twice, and what stands behind the last token that is read.
#[test]
fn a_question_with_two_of_one_role_asks_what_it_asks() {
    for text in [
        "How much was donated from Acme Germany to Acme France?",
        "What training was given to employees and what feedback was received from employees?",
        "Were emissions data provided from scope 1 to scope 3?",
        "How many sites were audited by us and how many were audited by customers?",
        "Do customers trust us and do we trust customers?",
        "Did Acme audit Globex or did Globex audit Acme?",
    ] {
        assert_eq!(verdict(text, text).reason(), None, "{text}");
    }
    let mut words = vec!["word"; 1_100];
    (words[10], words[997]) = ("2019", "2023");
    let text = words.join(" ");
    assert!(verdict(&text, &text).is_pass());
    for (one, other) in [("10 t Globex", "Globex 10"), ("Globex 10", "10 t Globex")] {
        assert_eq!(verdict(one, other).is_pass(), verdict(other, one).is_pass());
    }
}

/// Long texts are read up to a bound, and the rest must be the same to the letter.
#[test]
fn long_texts_differ_in_what_stands_far_behind() {
    let long = |end: &str| format!("What does this say? {}{end}", "1 CO2 A ".repeat(20_000));
    assert!(verdict(&long("2023"), &long("2023")).is_pass());
    assert!(!verdict(&long("2023"), &long("2024")).is_pass());
}

#[test]
fn users_add_terms_synonyms_patterns_and_checks() {
    #[derive(Debug)]
    struct Shouting;
    impl FactCheck for Shouting {
        fn differs(&self, asked: &str, stored: &str) -> Option<String> {
            (asked.ends_with('!') != stored.ends_with('!')).then(|| "tone differs".to_owned())
        }
    }
    let guards = Guards::standard()
        .with_synonyms(&["drawdown", "sump level"])
        .with_terms("mill", &["upper mill", "lower mill"])
        .with_pattern("ticket", r"case-(\w+)")
        .unwrap()
        .with_check(Arc::new(Shouting));
    let reason = |asked: &str, stored: &str| {
        let said = guards.compare(&guards.signature(asked), &guards.signature(stored));
        said.reason().map(str::to_owned)
    };
    assert_eq!(reason("What is the drawdown?", "What is the sump level?"), None);
    assert_eq!(
        reason("Energy of the upper mill", "Energy of the lower mill").unwrap(),
        "mill upper mill differs from lower mill"
    );
    assert_eq!(reason("Look at case-ab", "Look at case-cd").unwrap(), "ticket ab differs from cd");
    assert_eq!(reason("Emissions", "Emissions!").unwrap(), "tone differs");
    assert!(Guards::standard().with_pattern("bad", "(").is_err());
}

#[test]
fn the_same_words_in_each_others_place_are_another_question_to_the_facts() {
    let guards = Guards::standard();
    let said = |one: &str, other: &str| guards.compare_facts(&guards.signature(one), &guards.signature(other));
    for (one, other) in [
        ("Interns hired as employees", "Employees hired as interns"),
        ("Survey ratings of employees by managers", "Survey ratings of managers by employees"),
        ("Which suppliers did customers report?", "Which customers did suppliers report?"),
    ] {
        assert!(!said(one, other).is_pass() && !said(other, one).is_pass(), "{one} | {other}");
    }
    for (one, other) in [
        ("In Lyon, how many sites were closed?", "How many sites were closed in Lyon?"),
        ("Who closed ticket 48213?", "ticket 48213 - closed by?"),
        ("waste recycled in 2024 at Lyon", "waste recycled at Lyon in 2024"),
    ] {
        assert!(said(one, other).is_pass() && said(other, one).is_pass(), "{one} | {other}");
    }
}
