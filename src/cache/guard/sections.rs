//! Tables of rules in text: a section in brackets for each rule, and below it what follows that rule.

use hashbrown::HashMap;

/// What stands in the table, each with its rule. Comments begin with `#`, examples with `+` and `-`.
///
/// # Errors
/// A text that says which section is unknown, what stands in none, or what stands in two.
pub(super) fn read<R: Copy>(
    table: &'static str,
    rules: &[(&str, R)],
    separators: &[char],
) -> Result<HashMap<&'static str, R>, String> {
    let (mut found, mut rule) = (HashMap::new(), None);
    let is_said = |line: &&str| !line.is_empty() && !line.starts_with(['#', '+', '-']);
    for line in table.lines().map(str::trim).filter(is_said) {
        if line.starts_with('[') {
            let known = rules.iter().find(|(name, _)| *name == line.trim_matches(['[', ']']));
            let (_, named) = known.ok_or_else(|| {
                let names: Vec<_> = rules.iter().map(|(name, _)| format!("[{name}]")).collect();
                format!("{line} is no rule: give {}", names.join(", "))
            })?;
            rule = Some(*named);
            continue;
        }
        let rule = rule.ok_or_else(|| format!("{line:?} stands in no section"))?;
        for item in line.split(separators).map(str::trim).filter(|item| !item.is_empty()) {
            if found.insert(item, rule).is_some() {
                return Err(format!("{item:?} has two rules"));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_is_wrong_in_it() {
        let read = |table| read(table, &[("one", 1), ("two", 2)], &[',', ' ']);
        let whole = read("# A table.\n[one]\na, b c\n+ a\n[two]\nd\n").unwrap();
        assert_eq!((whole.len(), whole["c"], whole["d"]), (4, 1, 2));
        assert_eq!(read("[often]\na").unwrap_err(), "[often] is no rule: give [one], [two]");
        assert_eq!(read("a").unwrap_err(), "\"a\" stands in no section");
        assert_eq!(read("[one]\na\n[two]\na").unwrap_err(), "\"a\" has two rules");
    }
}
