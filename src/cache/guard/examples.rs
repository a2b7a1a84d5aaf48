//! The examples of the tables: `+ one | other` asks the same, `- one | other` does not.

use super::Guards;

/// Each example of a table: whether the two ask the same, and the two.
pub(super) fn of(file: &'static str) -> impl Iterator<Item = (bool, &'static str, &'static str)> {
    file.lines().filter_map(|line| {
        let (mark, pair) = line.split_once(' ')?;
        let (one, other) = pair.rsplit_once(" | ").filter(|_| matches!(mark, "+" | "-"))?;
        // "a | b" may be what is asked about.
        let (one, other) = pair.split_once("? | ").map_or((one, other), |(one, other)| (one, other));
        Some((mark == "+", one, other))
    })
}

/// Panics with every example that the facts judge otherwise, in either order.
pub(super) fn hold(file: &'static str) {
    let guards = Guards::standard();
    let mut wrong = Vec::new();
    for (is_same, one, other) in of(file) {
        for (one, other) in [(one, other), (other, one)] {
            let said = guards.compare_facts(&guards.signature(one), &guards.signature(other));
            if said.is_pass() != is_same {
                wrong.push(format!("{one} | {other}: {}", said.reason().unwrap_or("passes")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
