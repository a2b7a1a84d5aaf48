//! The ledger for other programs: Arrow, CSV, FOCUS.

mod arrow;
mod columns;
mod csv;
mod focus;

use crate::{Error, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes a file beside the one asked for and renames it: a reader sees the old one or all of the new one.
fn whole_file(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let failed = |error: &std::io::Error| Error::Store(format!("{} cannot be written: {error}", path.display()));
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = Path::new(&name);
    let mut file = BufWriter::new(File::create(part).map_err(|error| failed(&error))?);
    let finish = |file: &mut BufWriter<File>| file.flush().and_then(|()| file.get_ref().sync_all());
    let written = write(&mut file).and_then(|()| finish(&mut file).map_err(|error| failed(&error)));
    match written.and_then(|()| std::fs::rename(part, path).map_err(|error| failed(&error))) {
        Ok(()) => Ok(()),
        Err(error) => {
            let _ = std::fs::remove_file(part);
            Err(error)
        }
    }
}

/// What makes a spreadsheet take a cell for a formula (OWASP, "CSV Injection").
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// The cell as a text where a spreadsheet would run it: tenants and tags are anybody's words. Numbers stay numbers.
fn harmless(cell: String) -> String {
    let is_number = || cell.parse::<f64>().is_ok_and(f64::is_finite) && !cell.starts_with('+');
    if cell.starts_with(FORMULA) && !is_number() { format!("'{cell}") } else { cell }
}

/// One line of comma-separated values, harmless in a spreadsheet, quoted by RFC 4180 where it must be.
fn line(file: &mut impl Write, cells: impl Iterator<Item = String>) -> Result<()> {
    let quote = |cell: String| {
        let cell = harmless(cell);
        if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    };
    let quoted: Vec<String> = cells.map(quote).collect();
    writeln!(file, "{}", quoted.join(",")).map_err(|error| Error::Store(format!("a line cannot be written: {error}")))
}

fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(cell: &str) -> String {
        let mut file = Vec::new();
        line(&mut file, std::iter::once(cell.to_owned())).unwrap();
        String::from_utf8(file).unwrap().trim_end_matches('\n').to_owned()
    }

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_is_a_text() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2+3", "'-2+3"),
            ("+49 30 1234", "'+49 30 1234"),
            ("\t=1", "'\t=1"),
            ("=HYPERLINK(\"a\",\"b\")", "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\""),
            ("-0.5", "-0.5"),
            ("-1e-7", "-1e-7"),
            ("acme", "acme"),
            ("", ""),
        ] {
            assert_eq!(written(cell), expected, "{cell:?}");
        }
    }

    proptest! {
        #[test]
        fn no_cell_begins_as_a_formula(cell in "[-=+@\t a0-9]{0,6}") {
            let found = written(&cell);
            let is_number = found.parse::<f64>().is_ok();
            prop_assert!(is_number || !found.starts_with(FORMULA), "{cell:?}: {found:?}");
        }
    }
}
