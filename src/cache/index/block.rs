//! 64 rows: as they are, as whole numbers, and as signs.

use super::encoder::{Encoder, Layout, Prepared};
use crate::cache::kernel::{self, CHUNK_BYTES, CHUNK_DIMENSIONS, Path, ROWS};
use std::sync::atomic::AtomicU64;

/// Weight of the second plane: the levels 0.4528 and 1.510 of the best 2-bit quantizer of a normal variable
/// (Max 1960) are `1 - RATIO` and `1 + RATIO` times 0.9814.
pub(super) const RATIO: f32 = 0.5386;
/// The boundary between them, in standard deviations.
const BOUNDARY: f32 = 0.9816;
/// What 1 is in the columns of small figures.
pub(super) const ONE: f32 = 32_767.0;
/// What 1 is in the column `pair`, which reaches 2.2.
pub(super) const PAIR_ONE: f32 = 8_192.0;

/// Rows that do not change, but for which of them still count.
#[derive(Debug)]
pub(super) struct Block {
    pub ids: [u64; ROWS],
    /// A bit for each row that is not removed.
    pub alive: AtomicU64,
    pub rows: Box<[f32]>,
    pub bytes: Bytes,
    /// Present where the path looks up tables fast.
    pub planes: Option<Box<Planes>>,
}

/// Rows as multiples of their own step.
#[derive(Debug)]
pub(super) struct Bytes {
    pub codes: Box<[i8]>,
    pub figures: [Figures; ROWS],
}

/// What the bound of one row needs: docs/cache.md derives it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Figures {
    /// Along the common mean.
    pub along: f32,
    pub step: f32,
    /// The length of `step * codes`.
    pub length: f32,
    /// The distance between the rest and `step * codes`.
    pub error: f32,
    pub sum: i32,
}

/// Rows as signs: the first plane, in two parts, says the sign, the second whether the size is above the boundary.
#[derive(Debug)]
pub(super) struct Planes {
    pub signs: [Box<[u8]>; 2],
    pub sizes: [Box<[u8]>; 2],
    /// Along the common mean.
    pub along: [i16; ROWS],
    /// Along the signs of each part.
    pub part: [[i16; ROWS]; 2],
    /// Across them: the length of what is left.
    pub across: [[i16; ROWS]; 2],
    /// The length of the second part.
    pub second: [i16; ROWS],
    /// Along both planes, over their squared length.
    pub pair: [i16; ROWS],
    /// Across both planes.
    pub pair_across: [i16; ROWS],
}

/// Takes 64 rows of unit length, one behind the other.
pub(super) fn encode(encoder: &Encoder, ids: [u64; ROWS], rows: Box<[f32]>, with_planes: bool) -> Block {
    let layout = encoder.layout;
    let mut codes = vec![0_i8; ROWS * layout.stride].into_boxed_slice();
    let mut figures = [Figures::default(); ROWS];
    let mut planes = with_planes.then(|| Box::new(Planes::new(&layout)));
    let mut prepared = Prepared::default();
    for (place, unit) in rows.chunks_exact(layout.dimension).enumerate() {
        encoder.prepare(unit, &mut prepared);
        let row = &mut codes[place * layout.stride..(place + 1) * layout.stride];
        figures[place] = quantize(encoder.path, prepared.along, &prepared.rest[..layout.dimension], row);
        if let Some(planes) = &mut planes {
            planes.put(encoder.path, &layout, place, &prepared);
        }
    }
    Block { ids, alive: AtomicU64::new(u64::MAX), rows, bytes: Bytes { codes, figures }, planes }
}

/// Writes a vector as whole numbers of its own step.
pub(super) fn quantize(path: Path, along: f32, rest: &[f32], codes: &mut [i8]) -> Figures {
    let largest = rest.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    if largest < f32::MIN_POSITIVE * 256.0 {
        return Figures { along, ..Figures::default() };
    }
    let step = largest / 127.0;
    kernel::quantize(path, rest, step.recip(), codes);
    let (error, length) = kernel::quantization_error(path, rest, step, codes);
    let sum = codes.iter().map(|&code| i32::from(code)).sum();
    Figures { along, step, length: length.sqrt(), error: error.sqrt(), sum }
}

impl Planes {
    fn new(layout: &Layout) -> Self {
        let plane = || {
            let sizes = [layout.first_chunks, layout.chunks - layout.first_chunks];
            sizes.map(|chunks| vec![0_u8; chunks * CHUNK_BYTES].into_boxed_slice())
        };
        Self {
            signs: plane(),
            sizes: plane(),
            along: [0; ROWS],
            part: [[0; ROWS]; 2],
            across: [[0; ROWS]; 2],
            second: [0; ROWS],
            pair: [0; ROWS],
            pair_across: [0; ROWS],
        }
    }

    fn put(&mut self, path: Path, layout: &Layout, place: usize, prepared: &Prepared) {
        let rest = &prepared.rest;
        let (first, second) = rest[..layout.dimension].split_at(layout.first());
        self.along[place] = (prepared.along * ONE).clamp(-ONE, ONE).round() as i16;
        let mut squares = [0.0; 2];
        for (part, vector) in [first, second].into_iter().enumerate() {
            squares[part] = kernel::dot(path, vector, vector);
            let sum = kernel::absolute_sum(path, vector);
            let along_signs = sum / (vector.len().max(1) as f32).sqrt();
            self.part[part][place] = (along_signs * ONE).min(ONE).round() as i16;
            self.across[part][place] = upper(squares[part] - along_signs * along_signs);
        }
        self.second[place] = upper(squares[1]);

        let square = squares[0] + squares[1];
        let boundary = BOUNDARY * (square / layout.dimension as f32).sqrt();
        let (along_pair, length) = self.pack(layout, place, rest, boundary);
        self.pair[place] = (along_pair / length * (layout.dimension as f32).sqrt() * PAIR_ONE).round() as i16;
        self.pair_across[place] = upper(square - along_pair * along_pair / length);
    }

    /// Writes the bits; gives the inner product of the vector with its code, and the code's squared length.
    fn pack(&mut self, layout: &Layout, place: usize, rest: &[f32], boundary: f32) -> (f32, f32) {
        let (mut small, mut large, mut count) = (0.0_f32, 0.0_f32, 0_u32);
        for (chunk, values) in rest.as_chunks::<CHUNK_DIMENSIONS>().0.iter().enumerate() {
            let (mut signs, mut above) = (0_u32, 0_u32);
            for (bit, &x) in values.iter().enumerate() {
                let is_large = x.abs() >= boundary;
                signs |= u32::from(x >= 0.0) << bit;
                above |= u32::from(is_large) << bit;
                small += if is_large { 0.0 } else { x.abs() };
                large += if is_large { x.abs() } else { 0.0 };
            }
            let real = layout.dimension - (chunk * CHUNK_DIMENSIONS).min(layout.dimension);
            count += (above & low_bits(real)).count_ones();
            let (part, at) = match chunk.checked_sub(layout.first_chunks) {
                None => (0, chunk * CHUNK_BYTES),
                Some(after) => (1, after * CHUNK_BYTES),
            };
            // The second plane holds the sign times the size, so that one table serves both.
            let pairs = [(&mut self.signs[part], signs), (&mut self.sizes[part], !(signs ^ above))];
            for (plane, bits) in pairs {
                for (byte, packed) in kernel::pack(bits).into_iter().enumerate() {
                    plane[at + byte * ROWS + kernel::place_of(place)] = packed;
                }
            }
        }
        let few = layout.dimension as f32 - count as f32;
        let length = count as f32 * (1.0 + RATIO).powi(2) + few * (1.0 - RATIO).powi(2);
        (small * (1.0 - RATIO) + large * (1.0 + RATIO), length)
    }
}

/// The root of a square, rounded up to what a column holds.
fn upper(square: f32) -> i16 {
    (square.max(0.0).sqrt() * ONE).ceil().min(ONE) as i16
}

fn low_bits(count: usize) -> u32 {
    if count >= 32 { u32::MAX } else { (1 << count) - 1 }
}
