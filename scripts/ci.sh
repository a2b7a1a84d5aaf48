#!/usr/bin/env bash
# Runs .ci/run as a stranger's busy machine would: in a fresh clone of HEAD, with two loops beside it that keep two
# cores busy. When it passes, the commit's hash stands in the file `ci-passed` in the git directory of this checkout.
#
# Usage: scripts/ci.sh
set -euo pipefail
cd "$(dirname "$0")/.."

# Within a hook, git points at this repository; the clone has one of its own.
# shellcheck disable=SC2046
unset $(git rev-parse --local-env-vars)

if [[ -n $(git status --porcelain) ]]; then
    echo "make ci: the tree has changes that are not committed, so what would be tested is not what you see." >&2
    echo "         Commit them or put them aside first:" >&2
    git status --short >&2
    exit 1
fi

origin=$PWD
commit=$(git rev-parse HEAD)
passed=$(git rev-parse --absolute-git-dir)/ci-passed
room=$(mktemp -d "${TMPDIR:-/tmp}/headrace-ci.XXXXXX")
busy=()
work=

leave() {
    trap - EXIT
    # The run has a process group of its own, so that an interrupt ends all that it has started.
    [[ -z $work ]] || kill -TERM -- "-$work" 2>/dev/null || true
    ((${#busy[@]} == 0)) || kill "${busy[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$room"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

git clone --quiet --no-checkout "$origin" "$room/headrace"
git -C "$room/headrace" checkout --quiet --detach "$commit"
# Material that may lie beside a checkout; no test needs it.
[[ ! -d $origin/../shared ]] || ln -s "$(realpath "$origin/../shared")" "$room/shared"

# They end with this script, also where it was killed and could not end them.
for _ in 1 2; do
    (while kill -0 $$ 2>/dev/null; do for ((turn = 0; turn < 100000; turn++)); do :; done; done) &
    busy+=($!)
done

# What this shell was told must not reach the clone: it sets itself up as on a machine that has never seen it.
set -m
env --chdir="$room/headrace" -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u CARGO_TARGET_DIR -u VIRTUAL_ENV \
    -u PYTHONPATH -u PYTHONHOME -u RUSTFLAGS .ci/run </dev/null &
work=$!
set +m
status=0
wait "$work" || status=$?
work=

if ((status)); then
    echo "make ci: .ci/run ended with status $status in a clone of $commit" >&2
    exit "$status"
fi
echo "$commit" >"$passed"
echo "make ci: $commit passed; its hash stands in $passed"
