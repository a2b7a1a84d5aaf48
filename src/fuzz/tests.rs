//! What lies in `fuzz/corpus`, and what the fuzzer once found, is read without a finding.

use super::TARGETS;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files for a reader in one of the two folders.
fn examples(kind: &str, name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(name);
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// Tells the process of the test below that it is one.
const ALONE: &str = "FUZZ_EXAMPLES";

/// In a process of its own: readers of files close every file of their process.
#[test]
fn every_example_is_read() {
    let read = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fuzz::tests::a_process_that_reads_examples", "--nocapture"])
        .env(ALONE, "yes")
        .output()
        .unwrap();
    let (said, errors) = (String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr));
    assert!(read.status.success(), "the last example breaks its reader:\n{said}\n{errors}");
    assert!(said.matches("fuzz/corpus/").count() >= TARGETS.len(), "{said}");
}

/// The other process.
#[test]
fn a_process_that_reads_examples() {
    if std::env::var(ALONE).is_err() {
        return;
    }
    for target in TARGETS {
        let corpus = examples("corpus", target.name);
        assert!(
            !corpus.is_empty(),
            "{} has no example in fuzz/corpus: the fuzzer would begin with nothing",
            target.name
        );
        for file in corpus.into_iter().chain(examples("found", target.name)) {
            println!("{}", file.display());
            (target.read)(&std::fs::read(&file).unwrap());
        }
    }
}

#[test]
fn every_folder_is_a_readers() {
    for kind in ["corpus", "found"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind);
        // Nothing was found so far, perhaps.
        for folder in std::fs::read_dir(folder).into_iter().flatten() {
            let name = folder.unwrap().file_name();
            assert!(
                TARGETS.iter().any(|target| *target.name == *name),
                "fuzz/{kind}/{} is no reader's",
                name.display()
            );
        }
    }
}
