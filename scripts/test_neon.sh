#!/usr/bin/env bash
# Tests the index on 64-bit ARM, in an emulator: on a processor that has `sdot`, and its kernel on one that has not.
# For Debian on x86-64, as root. Installs Debian's Rust, a cross compiler and QEMU; all else goes into target/neon.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/target/neon

# The library for ARM must be of the compiler's own build. Its package is unpacked and not installed, so that the
# machine need not take packages of another architecture.
version() { dpkg-query --show --showformat '${Version}' libstd-rust-web-dev 2>/dev/null || true; }
is_ready() {
    { command -v aarch64-linux-gnu-gcc && command -v qemu-aarch64-static; } >/dev/null &&
        [[ -e $work/rust-$(version)/usr/lib/rustlib/x86_64-unknown-linux-gnu ]]
}
if ! is_ready; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends \
        rustc-web gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static >/dev/null
    rm -rf "$work/apt"
    mkdir -p "$work"/apt/{lists,cache/archives}/partial
    arm64() {
        apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root \
            -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o Dir::State::status=/dev/null "$@"
    }
    arm64 update
    (cd "$work/apt" && arm64 download "libstd-rust-web-dev=$(version)")
    dpkg-deb --extract "$work"/apt/libstd-rust-web-dev_*.deb "$work/rust-$(version)"
    rm -r "$work/apt"
    ln -sfn /usr/lib/rustlib/x86_64-unknown-linux-gnu "$work/rust-$(version)/usr/lib/rustlib/"
fi

# Dependencies are those of the core, of the same versions.
mkdir -p "$work/crate"
cp Cargo.lock "$work/crate/"
cat >"$work/crate/Cargo.toml" <<EOF
[package]
name = "neon"
version = "0.0.0"
edition = "2024"

[lib]
path = "$root/scripts/test_neon.rs"

[workspace]

[dependencies]
$(grep -E '^(libc|parking_lot|proptest|rand|rand_distr) = ' Cargo.toml)
EOF

export RUSTC=/usr/bin/rustc CARGO_ENCODED_RUSTFLAGS=--sysroot=$work/rust-$(version)/usr
export CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu CARGO_TARGET_DIR=$work/build
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -L /usr/aarch64-linux-gnu"
cd "$work/crate"
# Optimised, for the compiler chooses instructions too.
QEMU_CPU=max cargo test --quiet --release --lib
QEMU_CPU=cortex-a72 cargo test --quiet --release --lib kernel
