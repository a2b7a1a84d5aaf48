//! The fuzzer: `--target=NAME` says which reader of `headrace::fuzz` it drives, `--list` names them all; the rest of the
//! command line is libFuzzer's.

#![cfg_attr(feature = "engine", no_main)]

#[cfg(feature = "engine")]
mod engine {
    use headrace::fuzz::{FuzzTarget, TARGETS, find};
    use std::process::exit;
    use std::sync::OnceLock;

    static TARGET: OnceLock<FuzzTarget> = OnceLock::new();

    /// The reader that the command line names.
    fn chosen() -> FuzzTarget {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        let mut given = std::env::args().skip(1);
        if given.any(|argument| argument == "--list") {
            println!("{}", names.join("\n"));
            exit(0);
        }
        let named = std::env::args().find_map(|argument| argument.strip_prefix("--target=").map(str::to_owned));
        named.as_deref().and_then(find).unwrap_or_else(|| {
            eprintln!("give --target= and one of {}", names.join(", "));
            exit(2);
        })
    }

    libfuzzer_sys::fuzz_target!(
        init: {
            let _ = TARGET.set(chosen());
        },
        |bytes: &[u8]| (TARGET.get_or_init(chosen).read)(bytes)
    );
}

#[cfg(not(feature = "engine"))]
fn main() {
    eprintln!("this was built without its engine: run `make fuzz`");
    std::process::exit(2);
}
