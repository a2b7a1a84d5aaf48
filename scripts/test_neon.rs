//! The index and its kernel as a crate of their own, which `test_neon.sh` compiles for 64-bit ARM: all of the core
//! would take long to compile, and to run in an emulator.
#![allow(dead_code, reason = "the tests use less of a module than the core does")]

#[path = "../src/cache"]
mod cache {
    mod index;
    mod kernel;
    mod vector;

    mod key {
        /// Stands for the hasher of ids, which is no part of what is tested.
        pub(crate) type DigestState = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;
    }
}

/// What `vector` says of an embedding.
#[derive(Debug)]
enum Error {
    Embedding(String),
}

type Result<T> = std::result::Result<T, Error>;
