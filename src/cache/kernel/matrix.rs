//! Products of rows of bytes with a matrix of bytes: the layers of the model that reads two questions.
//!
//! The sums are of whole numbers, so that every path finds the same; what makes floats of them stands in one place.

#[cfg(target_arch = "aarch64")]
use super::neon;
use super::{ByteLine, Path, PathKind, layer, portable};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// Columns that are summed together.
pub(super) const PANEL: usize = 64;
/// Bytes of a column that stand together in a line, as instructions multiply them.
pub(super) const STEP: usize = 4;
/// Lines of a step: of sixteen columns each.
pub(super) const STEP_LINES: usize = PANEL * STEP / size_of::<ByteLine>();
/// What is added to the bytes of rows, which makes them unsigned.
const BIAS: i32 = 128;

/// Rows of numbers as bytes, each row with its own step: `value = (code - 128) * scale`.
#[derive(Debug, Default)]
pub(crate) struct ByteRows {
    depth: usize,
    codes: Vec<u8>,
    scales: Vec<f32>,
}

impl ByteRows {
    /// Takes the bytes nearest to `values`, rows of `depth`, in place of what was here.
    pub fn set(&mut self, path: Path, values: &[f32], depth: usize) {
        self.depth = depth;
        self.codes.resize(values.len(), 0);
        self.scales.resize(values.len() / depth, 0.0);
        super::quantize_rows(path, values, depth, &mut self.codes, &mut self.scales);
    }
}

/// A matrix of signed bytes from -127 to 127, each column with its own step, as the instructions read it.
#[derive(Debug)]
pub(crate) struct ByteMatrix {
    depth: usize,
    /// Panel after panel of 64 columns; in a panel step after step of four bytes of depth.
    lines: Box<[ByteLine]>,
    /// What makes good, in each column's sum, that the rows' bytes are unsigned.
    offsets: Box<[[i32; PANEL]]>,
    scales: Box<[[f32; PANEL]]>,
    bias: Box<[[f32; PANEL]]>,
}

impl ByteMatrix {
    /// Packs `codes`, column after column of `depth` bytes; `scales` and `bias` have a number for each column.
    ///
    /// A whole number of panels and of steps is expected: what is beyond is left out.
    pub fn pack(depth: usize, codes: &[i8], scales: &[f32], bias: &[f32]) -> Self {
        let mut lines = Vec::with_capacity(codes.len() / size_of::<ByteLine>());
        let mut offsets = Vec::with_capacity(scales.len() / PANEL);
        for panel in codes.chunks_exact(PANEL * depth) {
            let columns: [&[[i8; STEP]]; PANEL] =
                std::array::from_fn(|column| panel[column * depth..(column + 1) * depth].as_chunks().0);
            for step in 0..depth / STEP {
                for columns in columns.as_chunks::<{ PANEL / STEP_LINES }>().0 {
                    let mut line = ByteLine::default();
                    for (four, column) in line.0.as_chunks_mut::<STEP>().0.iter_mut().zip(columns) {
                        *four = column[step].map(i8::cast_unsigned);
                    }
                    lines.push(line);
                }
            }
            let sum = |column: &[[i8; STEP]]| column.as_flattened().iter().map(|&code| i32::from(code)).sum::<i32>();
            offsets.push(columns.map(|column| -BIAS * sum(column)));
        }
        let panels = |numbers: &[f32]| numbers.as_chunks().0.into();
        Self { depth, lines: lines.into(), offsets: offsets.into(), scales: panels(scales), bias: panels(bias) }
    }

    /// How many columns there are.
    pub fn columns(&self) -> usize {
        self.offsets.len() * PANEL
    }

    /// The bytes of memory that it takes.
    pub fn size(&self) -> usize {
        size_of_val(&*self.lines) + size_of_val(&*self.offsets) + size_of_val(&*self.scales) + size_of_val(&*self.bias)
    }
}

/// What becomes of a sum after it was scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// Nothing.
    Linear,
    /// The Gaussian error linear unit.
    Gelu,
}

/// How a kind of processor sums `R` rows times 64 columns.
trait Tile {
    /// The most rows that its registers hold at once, of 1 to 6.
    const ROWS: usize;

    /// Sets `sums` to `offsets` plus the products; each row has as many steps as `lines`.
    fn sums<const R: usize>(
        rows: [&[[u8; STEP]]; R],
        lines: &[[ByteLine; STEP_LINES]],
        offsets: &[i32; PANEL],
        sums: &mut [[i32; PANEL]; R],
    );
}

/// Declares a path's tile.
macro_rules! tile {
    ($name:ident, $rows:literal, $($sums:ident)::+) => {
        struct $name;

        impl Tile for $name {
            const ROWS: usize = $rows;

            #[inline(always)]
            fn sums<const R: usize>(
                rows: [&[[u8; STEP]]; R],
                lines: &[[ByteLine; STEP_LINES]],
                offsets: &[i32; PANEL],
                sums: &mut [[i32; PANEL]; R],
            ) {
                // SAFETY: `product` takes this tile only on a path of its kind, which exists only where the processor
                // has its instructions. The portable function is no unsafe one.
                #[allow(unused_unsafe, reason = "the portable function is safe")]
                unsafe {
                    $($sums)::+(rows, lines, offsets, sums);
                }
            }
        }
    };
}

tile!(Portable, 4, portable::sums);
#[cfg(target_arch = "x86_64")]
tile!(Avx512, 6, avx512::sums);
#[cfg(target_arch = "x86_64")]
tile!(Avx2, 4, avx2::sums);
#[cfg(target_arch = "aarch64")]
tile!(Neon, 4, neon::sums);
#[cfg(target_arch = "aarch64")]
tile!(NeonDot, 4, neon::sums_by_sdot);

/// `R` rows from `first` on times one panel.
#[inline(always)]
fn rows_of_panel<T: Tile, const R: usize>(
    (rows, first): (&ByteRows, usize),
    (matrix, panel): (&ByteMatrix, usize),
    activation: Activation,
    out: &mut [f32],
) {
    let depth = matrix.depth;
    let lines = &matrix.lines[panel * depth..(panel + 1) * depth];
    let codes: [&[[u8; STEP]]; R] =
        std::array::from_fn(|r| rows.codes[(first + r) * depth..(first + r + 1) * depth].as_chunks().0);
    let mut sums = [[0; PANEL]; R];
    T::sums(codes, lines.as_chunks().0, &matrix.offsets[panel], &mut sums);
    let (scales, bias) = (&matrix.scales[panel], &matrix.bias[panel]);
    for (r, sums) in sums.iter().enumerate() {
        let scale = rows.scales[first + r];
        let mut values = [0.0; PANEL];
        for c in 0..PANEL {
            values[c] = sums[c] as f32 * scale * scales[c] + bias[c];
        }
        if activation == Activation::Gelu {
            layer::gelu(&mut values);
        }
        let start = (first + r) * matrix.columns() + panel * PANEL;
        out[start..start + PANEL].copy_from_slice(&values);
    }
}

#[inline(always)]
fn product_by<T: Tile>(rows: &ByteRows, matrix: &ByteMatrix, activation: Activation, out: &mut [f32]) {
    let count = rows.scales.len();
    // A panel stays in the nearest cache while all rows pass by.
    for panel in 0..matrix.offsets.len() {
        for first in (0..count).step_by(T::ROWS) {
            let (from, with) = ((rows, first), (matrix, panel));
            match T::ROWS.min(count - first) {
                1 => rows_of_panel::<T, 1>(from, with, activation, out),
                2 => rows_of_panel::<T, 2>(from, with, activation, out),
                3 => rows_of_panel::<T, 3>(from, with, activation, out),
                4 => rows_of_panel::<T, 4>(from, with, activation, out),
                5 => rows_of_panel::<T, 5>(from, with, activation, out),
                _ => rows_of_panel::<T, 6>(from, with, activation, out),
            }
        }
    }
}

/// Rows times the matrix, scaled, with the bias added: `out` has a row of the matrix's columns for each row.
///
/// # Panics
/// Where the rows are not as deep as the matrix, or `out` has not the room.
pub(crate) fn product(path: Path, rows: &ByteRows, matrix: &ByteMatrix, activation: Activation, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    fn avx512(rows: &ByteRows, matrix: &ByteMatrix, activation: Activation, out: &mut [f32]) {
        product_by::<Avx512>(rows, matrix, activation, out);
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn avx2(rows: &ByteRows, matrix: &ByteMatrix, activation: Activation, out: &mut [f32]) {
        product_by::<Avx2>(rows, matrix, activation, out);
    }
    assert_eq!(rows.depth, matrix.depth);
    match path.0 {
        // SAFETY: a path of this kind exists only where the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        PathKind::Avx512 => unsafe { avx512(rows, matrix, activation, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        PathKind::Avx2 => unsafe { avx2(rows, matrix, activation, out) },
        #[cfg(target_arch = "aarch64")]
        PathKind::NeonDot => product_by::<NeonDot>(rows, matrix, activation, out),
        #[cfg(target_arch = "aarch64")]
        PathKind::Neon => product_by::<Neon>(rows, matrix, activation, out),
        PathKind::Portable => product_by::<Portable>(rows, matrix, activation, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    #[test]
    fn products_are_exact_on_every_path() {
        let random = &mut StdRng::seed_from_u64(7);
        let all: Vec<i8> = (-127..=127).collect();
        let kinds: [&[i8]; 4] = [&all, &[127], &[-127], &[-127, 127, 0]];
        for (depth, columns, count) in [(64, 64, 1), (128, 128, 7), (384, 192, 13), (1536, 64, 6), (4, 64, 5)] {
            for (of_rows, of_columns) in kinds.iter().flat_map(|a| kinds.iter().map(move |b| (a, b))) {
                let mut draw = |kind: &[i8], length: usize| -> Vec<i8> {
                    (0..length).map(|_| kind[random.random_range(0..kind.len())]).collect()
                };
                // A first number of 127 makes the step one half, so that the numbers are their own bytes.
                let mut codes = draw(of_rows, depth * count);
                codes.iter_mut().step_by(depth).for_each(|code| *code = 127);
                let weights = draw(of_columns, depth * columns);
                let values: Vec<f32> = codes.iter().map(|&code| f32::from(code) * 0.5).collect();
                let [scales, bias] = [(); 2].map(|()| (0..columns).map(|_| random.random_range(-1.0..1.0)).collect());
                let (scales, bias): (Vec<f32>, Vec<f32>) = (scales, bias);
                let mut expected = Vec::new();
                for (row, column) in (0..count).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                    let row = &codes[row * depth..(row + 1) * depth];
                    let weights = &weights[column * depth..(column + 1) * depth];
                    let sum: i32 = row.iter().zip(weights).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum();
                    expected.push((sum as f32 * 0.5 * scales[column] + bias[column]).to_bits());
                }
                let matrix = ByteMatrix::pack(depth, &weights, &scales, &bias);
                assert_eq!(matrix.columns(), columns);
                for path in Path::available() {
                    let mut rows = ByteRows::default();
                    rows.set(path, &values, depth);
                    let mut found = vec![f32::NAN; count * columns];
                    product(path, &rows, &matrix, Activation::Linear, &mut found);
                    assert!(found.iter().map(|x| x.to_bits()).eq(expected.iter().copied()), "{path:?} {depth} {count}");
                    let mut bent = vec![f32::NAN; count * columns];
                    product(path, &rows, &matrix, Activation::Gelu, &mut bent);
                    layer::gelu(&mut found);
                    assert!(found.iter().zip(&bent).all(|(x, y)| x.to_bits() == y.to_bits()), "{path:?} {depth}");
                }
            }
        }
    }
}
