#!/bin/sh
# Compiles the workspace's own crates, and no dependency, so that a fuzzer sees which branches a run takes: the passes and
# their options are LLVM's, which the stable compiler hands on.
rustc=$1
shift
exec "$rustc" "$@" --cfg fuzzing -Copt-level=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
