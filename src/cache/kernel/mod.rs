//! The inner loops of the index and of the local verifier, one implementation for each kind of processor, chosen while
//! running, and the index's memory.
//!
//! All paths compute the same numbers, to the bit, and differ in time only. This folder is the only place with
//! `unsafe`: a block says why it is sound. Functions for a kind of processor are reached through [`Path`] alone,
//! whose faster values exist only where the processor was asked.

#![cfg_attr(not(target_arch = "x86_64"), allow(unused_variables, reason = "some arguments serve one path only"))]
#![allow(unsafe_code, reason = "vector instructions and what guards their use")]
#![allow(
    clippy::inline_always,
    reason = "a portable function must become part of each path, whose instructions it then uses"
)]
#![allow(clippy::wildcard_imports, reason = "the names of vector instructions say where they come from")]

mod arena;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod layer;
mod matrix;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(test)]
mod tests;

pub(crate) use arena::Arena;
pub(crate) use layer::{ATTENTION_ROOM, HEADS, HIDDEN, MOST_TOKENS};
pub(crate) use matrix::{Activation, ByteMatrix, ByteRows, product};

/// Rows in a block: a bit of a mask, and a byte of a register, for each.
pub(crate) const ROWS: usize = 64;
/// Dimensions that one table covers.
pub(crate) const GROUP: usize = 6;
/// Entries of a table: the signs of a group's dimensions.
pub(crate) const ENTRIES: usize = 64;
/// Dimensions of a row in three bytes.
pub(crate) const CHUNK_DIMENSIONS: usize = 24;
/// Lines of a chunk of a block.
pub(crate) const CHUNK_LINES: usize = 3;
/// Queries that one scan of the codes serves.
pub(crate) const SHARED: usize = 4;
/// Sums kept side by side.
const LANES: usize = 64;

/// What a register holds and the memory gives at once: a byte for each row of a block, or for each entry of a table.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct ByteLine(pub [u8; ROWS]);

impl Default for ByteLine {
    fn default() -> Self {
        Self([0; ROWS])
    }
}

/// A kind of processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path(PathKind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathKind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// NEON with `sdot`.
    #[cfg(target_arch = "aarch64")]
    NeonDot,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

/// A term of a bound: `(sums * slope + offset) * column`, row by row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product<'a> {
    pub sums: &'a [u16; ROWS],
    pub slope: f32,
    pub offset: f32,
    pub column: &'a [i16; ROWS],
}

impl Path {
    /// The fastest for this machine.
    pub fn detect() -> Self {
        static FASTEST: crate::lock::Lazy<Path> = crate::lock::Lazy::new(|| Path::available()[0]);
        *FASTEST
    }

    /// Those that this machine can take, fastest first.
    pub fn available() -> Vec<Self> {
        let mut paths = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("avx512vnni");
            if avx512 && avx2 {
                paths.push(Self(PathKind::Avx512));
            }
            if avx2 {
                paths.push(Self(PathKind::Avx2));
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            if std::arch::is_aarch64_feature_detected!("dotprod") {
                paths.push(Self(PathKind::NeonDot));
            }
            paths.push(Self(PathKind::Neon));
        }
        paths.push(Self(PathKind::Portable));
        paths
    }

    /// Whether table lookups are fast enough for the bit planes to pay.
    pub fn has_fast_tables(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        let fast = self.0 == PathKind::Avx512;
        // With NEON a count says so, no clock yet: 24 dimensions of 64 rows are 16 lookups, and 96 steps of `sdot`.
        #[cfg(not(target_arch = "x86_64"))]
        let fast = self.0 != PathKind::Portable;
        fast
    }
}

/// Compiles a portable function once for each path.
macro_rules! for_each_path {
    ($module:ident: $($(#[$doc:meta])* fn $name:ident($($argument:ident: $kind:ty),*) $(-> $output:ty)?;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(path: Path, $($argument: $kind),*) $(-> $output)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
            fn avx512($($argument: $kind),*) $(-> $output)? {
                $module::$name($($argument),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2($($argument: $kind),*) $(-> $output)? {
                $module::$name($($argument),*)
            }
            match path.0 {
                // SAFETY: a path of this kind exists only where the processor has these instructions.
                #[cfg(target_arch = "x86_64")]
                PathKind::Avx512 => unsafe { avx512($($argument),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                PathKind::Avx2 => unsafe { avx2($($argument),*) },
                // NEON is part of the instruction set that the portable function is compiled for.
                #[cfg(target_arch = "aarch64")]
                PathKind::NeonDot | PathKind::Neon => $module::$name($($argument),*),
                PathKind::Portable => $module::$name($($argument),*),
            }
        }
    )*};
}

for_each_path! { portable:
    /// The inner product of two vectors of one length: the similarity that is reported.
    fn dot(a: &[f32], b: &[f32]) -> f32;
    /// `vector -= factor * direction`.
    fn subtract(vector: &mut [f32], direction: &[f32], factor: f32);
    /// The sum of the absolute values.
    fn absolute_sum(vector: &[f32]) -> f32;
    /// `vector *= signs`, place by place.
    fn flip(vector: &mut [f32], signs: &[f32]);
    /// An orthonormal mixing of a window whose width is a power of two; `scratch` is at least as wide.
    fn mix(window: &mut [f32], scratch: &mut [f32]);
    /// The largest absolute value.
    fn largest(vector: &[f32]) -> f32;
    /// Nearest multiples of `1 / inverse` as signed bytes; none may be beyond 127.
    fn quantize(vector: &[f32], inverse: f32, codes: &mut [i8]);
    /// The squared distance from `vector` to `step * codes`, and the squared length of the latter.
    fn quantization_error(vector: &[f32], step: f32, codes: &[i8]) -> (f32, f32);
    /// Tables of rounded partial sums for `scan`; gives their step.
    fn tables(query: &[f32], most: f32, out: &mut [ByteLine]) -> f32;
}

for_each_path! { layer:
    /// The Gaussian error linear unit, place by place.
    fn gelu(values: &mut [f32]);
    /// Rows of `depth` numbers as bytes around 128, each with its own step.
    fn quantize_rows(values: &[f32], depth: usize, codes: &mut [u8], scales: &mut [f32]);
    /// Adds rows to rows, and gives each the mean 0 and the variance 1, then a weight and a bias.
    fn add_and_normalize(rows: &mut [f32], added: &[f32], weight: &[f32; HIDDEN], bias: &[f32; HIDDEN]);
    /// Attention of one text, from its tokens' queries, keys and values; `room` is of `ATTENTION_ROOM`.
    fn attend(mixed: &[f32], room: &mut [f32], out: &mut [f32]);
}

/// Where a row's bytes lie in a chunk: the first 32 rows in the even places, which widen to one register of sums.
pub(crate) fn place_of(row: usize) -> usize {
    row % 32 * 2 + row / 32
}

/// A row's three bytes in a chunk: bit `i` of `bits` is the sign of dimension `i`.
pub(crate) fn pack(bits: u32) -> [u8; 3] {
    portable::pack(bits)
}

/// Sums of the table entries that the codes of 64 rows name; reads `ahead` into the cache where it is as long.
pub(crate) fn scan(path: Path, codes: &[ByteLine], ahead: &[ByteLine], tables: &[ByteLine], sums: &mut [u16; ROWS]) {
    match path.0 {
        // SAFETY: a path of this kind exists only where the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        PathKind::Avx512 => unsafe { avx512::scan(codes, ahead, [tables], [sums]) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        PathKind::NeonDot | PathKind::Neon => unsafe { neon::scan(codes, ahead, tables, sums) },
        _ => portable::scan(codes, tables, sums),
    }
}

/// [`scan`] for several queries at once.
pub(crate) fn scan_shared(
    path: Path,
    codes: &[ByteLine],
    tables: [&[ByteLine]; SHARED],
    sums: [&mut [u16; ROWS]; SHARED],
) {
    match path.0 {
        // SAFETY: a path of this kind exists only where the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        PathKind::Avx512 => unsafe { avx512::scan(codes, &[], tables, sums) },
        _ => {
            for (tables, sums) in tables.into_iter().zip(sums) {
                scan(path, codes, &[], tables, sums);
            }
        }
    }
}

/// Which of 64 rows have a bound of at least `least`: the sum of factors times columns, and of the products.
pub(crate) fn survivors(path: Path, linear: &[(f32, &[i16; ROWS])], products: &[Product<'_>], least: f32) -> u64 {
    match path.0 {
        // SAFETY: a path of this kind exists only where the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        PathKind::Avx512 => unsafe { avx512::survivors(linear, products, least) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        PathKind::NeonDot | PathKind::Neon => unsafe { neon::survivors(linear, products, least) },
        _ => portable::survivors(linear, products, least),
    }
}

/// A query as signed bytes, -127 to 127, padded to a multiple of 64 with zeros.
#[derive(Debug, Clone, Default)]
pub(crate) struct ByteQuery {
    signed: Vec<i8>,
    /// The same plus 128, which AVX-512 takes.
    #[cfg(target_arch = "x86_64")]
    biased: Vec<u8>,
}

impl ByteQuery {
    pub fn new(signed: Vec<i8>) -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            biased: signed.iter().map(|&code| (i16::from(code) + 128) as u8).collect(),
            signed,
        }
    }

    /// The inner product with a row of the same length; `sum` is the sum of the row.
    pub fn dot(&self, path: Path, row: &[i8], sum: i32) -> i32 {
        match path.0 {
            // SAFETY: a path of this kind exists only where the processor has these instructions.
            #[cfg(target_arch = "x86_64")]
            PathKind::Avx512 => unsafe { avx512::dot_bytes(row, &self.biased, sum) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            PathKind::Avx2 => unsafe { avx2::dot_bytes(row, &self.signed) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            PathKind::NeonDot => unsafe { neon::dot_bytes_by_sdot(row, &self.signed) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            PathKind::Neon => unsafe { neon::dot_bytes(row, &self.signed) },
            PathKind::Portable => portable::dot_bytes(row, &self.signed),
        }
    }
}

/// Asks the processor to read `bytes` ahead of their use.
pub(crate) fn prefetch<T>(bytes: &[T]) {
    let start = bytes.as_ptr().cast::<u8>();
    for at in (0..size_of_val(bytes)).step_by(64) {
        // SAFETY: the address is within `bytes`, and a prefetch reads nothing that the program sees.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(start.add(at).cast());
        }
        #[cfg(target_arch = "aarch64")]
        neon::prefetch(start.wrapping_add(at));
    }
}
