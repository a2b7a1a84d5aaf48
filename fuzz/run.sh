#!/usr/bin/env bash
# Fuzzes readers of outside bytes, each for so many seconds, or all where none is named: fuzz/run.sh SECONDS [READER...]
#
# Begins with what lies in fuzz/corpus and with what the last runs found worth keeping (target/fuzz). An input that breaks a
# reader, takes longer than 20 s or more than 2 GiB lies in fuzz/found/READER afterwards: it is a test from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
shift

RUSTC_WORKSPACE_WRAPPER="$PWD/fuzz/rustc.sh" cargo build --quiet --package headrace-fuzz --features engine
fuzzer=target/debug/headrace-fuzz
if (($# == 0)); then
    mapfile -t readers < <("$fuzzer" --list)
    set -- "${readers[@]}"
fi

failed=()
for reader in "$@"; do
    mkdir -p "target/fuzz/grown/$reader" "fuzz/found/$reader"
    echo "$reader"
    "$fuzzer" "--target=$reader" "-max_total_time=$seconds" -timeout=20 -rss_limit_mb=2048 -verbosity=1 -print_final_stats=1 \
        "-artifact_prefix=fuzz/found/$reader/" "target/fuzz/grown/$reader" "fuzz/corpus/$reader" "fuzz/found/$reader" \
        >"target/fuzz/$reader.log" 2>&1 || failed+=("$reader")
    tail -n 1 < <(grep -E '^#[0-9]+' "target/fuzz/$reader.log")
    rmdir "fuzz/found/$reader" 2>/dev/null || true
done
if ((${#failed[@]})); then
    for reader in "${failed[@]}"; do
        echo "$reader: $(grep -m 1 -E 'panicked at|ERROR: libFuzzer' "target/fuzz/$reader.log") (target/fuzz/$reader.log)"
    done
    exit 1
fi
