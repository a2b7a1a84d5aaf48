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

/// One line of comma-separated values, quoted by RFC 4180 where it must be.
fn line(file: &mut impl Write, cells: impl Iterator<Item = String>) -> Result<()> {
    let quote = |cell: String| {
        if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    };
    let quoted: Vec<String> = cells.map(quote).collect();
    writeln!(file, "{}", quoted.join(",")).map_err(|error| Error::Store(format!("a line cannot be written: {error}")))
}

fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).unwrap_or_default().to_string()
}
