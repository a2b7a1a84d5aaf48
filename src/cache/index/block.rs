//! 64 rows: as they are, as whole numbers, and as signs.

use super::encoder::{Encoder, Layout, Prepared};
use crate::cache::kernel::{self, ByteLine, CHUNK_DIMENSIONS, CHUNK_LINES, Path, ROWS};

/// Weight of the second plane: the levels 0.4528 and 1.510 of the best 2-bit quantizer of a normal variable
/// (Max 1960) are `1 - RATIO` and `1 + RATIO` times 0.9814.
pub(super) const RATIO: f32 = 0.5386;
/// The boundary between them, in standard deviations.
const BOUNDARY: f32 = 0.9816;
/// What 1 is in the columns of small figures.
pub(super) const ONE: f32 = 32_767.0;
/// What 1 is in the column `pair`, which reaches 2.2.
pub(super) const PAIR_ONE: f32 = 8_192.0;

/// 64 rows encoded, on their way into a shelf.
#[derive(Debug)]
pub(super) struct Encoded {
    pub codes: Vec<i8>,
    pub figures: [Figures; ROWS],
    pub planes: Option<Planes>,
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
    pub signs: [Vec<ByteLine>; 2],
    pub sizes: [Vec<ByteLine>; 2],
    pub first: First,
    pub rest: Rest,
}

/// Figures of 64 rows for the first look.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct First {
    /// Along the common mean.
    pub mean: [i16; ROWS],
    /// Along the signs of the first part.
    pub along: [i16; ROWS],
    /// Across them: the length of what is left.
    pub across: [i16; ROWS],
    /// The length of the second part.
    pub open: [i16; ROWS],
}

/// Figures of 64 rows for the later looks.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Rest {
    /// Along the signs of the second part.
    pub along: [i16; ROWS],
    /// Across them.
    pub across: [i16; ROWS],
    /// Along both planes, over their squared length.
    pub pair: [i16; ROWS],
    /// Across both planes.
    pub pair_across: [i16; ROWS],
}

/// Encodes up to 64 rows of unit length, one behind the other.
pub(super) fn encode(encoder: &Encoder, rows: &[f32], with_planes: bool) -> Encoded {
    let layout = encoder.layout;
    let mut codes = vec![0_i8; ROWS * layout.stride];
    let mut figures = [Figures::default(); ROWS];
    let mut planes = with_planes.then(|| Planes::new(&layout));
    let mut prepared = Prepared::default();
    for (place, unit) in rows.chunks_exact(layout.dimension).enumerate() {
        encoder.prepare(unit, &mut prepared);
        let row = &mut codes[place * layout.stride..(place + 1) * layout.stride];
        figures[place] = quantize(encoder.path, prepared.along, &prepared.rest[..layout.dimension], row);
        if let Some(planes) = &mut planes {
            planes.put(encoder.path, &layout, place, &prepared);
        }
    }
    Encoded { codes, figures, planes }
}

/// Writes a vector as whole numbers of its own step.
pub(super) fn quantize(path: Path, along: f32, rest: &[f32], codes: &mut [i8]) -> Figures {
    let largest = kernel::largest(path, rest);
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
        let plane = || layout.lines().map(|lines| vec![ByteLine::default(); lines]);
        let none = [0; ROWS];
        Self {
            signs: plane(),
            sizes: plane(),
            first: First { mean: none, along: none, across: none, open: none },
            rest: Rest { along: none, across: none, pair: none, pair_across: none },
        }
    }

    fn put(&mut self, path: Path, layout: &Layout, place: usize, prepared: &Prepared) {
        let rest = &prepared.rest;
        let (first, second) = rest[..layout.dimension].split_at(layout.first());
        let squares = [first, second].map(|vector| kernel::dot(path, vector, vector));
        let along =
            [first, second].map(|vector| kernel::absolute_sum(path, vector) / (vector.len().max(1) as f32).sqrt());
        let square = squares[0] + squares[1];
        let boundary = BOUNDARY * (square / layout.dimension as f32).sqrt();
        let (along_pair, length) = self.pack(layout, place, rest, boundary);

        self.first.mean[place] = nearest(prepared.along, ONE);
        self.first.along[place] = nearest(along[0], ONE);
        self.first.across[place] = upper(squares[0] - along[0] * along[0]);
        self.first.open[place] = upper(squares[1]);
        self.rest.along[place] = nearest(along[1], ONE);
        self.rest.across[place] = upper(squares[1] - along[1] * along[1]);
        self.rest.pair[place] = nearest(along_pair / length * (layout.dimension as f32).sqrt(), PAIR_ONE);
        self.rest.pair_across[place] = upper(square - along_pair * along_pair / length);
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
                None => (0, chunk * CHUNK_LINES),
                Some(after) => (1, after * CHUNK_LINES),
            };
            // The second plane holds the sign times the size, so that one table serves both.
            let pairs = [(&mut self.signs[part], signs), (&mut self.sizes[part], !(signs ^ above))];
            for (plane, bits) in pairs {
                for (byte, packed) in kernel::pack(bits).into_iter().enumerate() {
                    plane[at + byte].0[kernel::place_of(place)] = packed;
                }
            }
        }
        let few = layout.dimension as f32 - count as f32;
        let length = count as f32 * (1.0 + RATIO).powi(2) + few * (1.0 - RATIO).powi(2);
        (small * (1.0 - RATIO) + large * (1.0 + RATIO), length)
    }
}

fn nearest(figure: f32, one: f32) -> i16 {
    (figure * one).round().clamp(-ONE, ONE) as i16
}

/// The root of a square, rounded up to what a column holds.
fn upper(square: f32) -> i16 {
    (square.max(0.0).sqrt() * ONE).ceil().min(ONE) as i16
}

fn low_bits(count: usize) -> u32 {
    if count >= 32 { u32::MAX } else { (1 << count) - 1 }
}
