//! A question as the codes see it, and the bounds on how near a row can be.

use super::block::{Figures, ONE, PAIR_ONE, RATIO, quantize};
use super::blocks::BlockView;
use super::encoder::{Encoder, Prepared};
use crate::cache::kernel::{self, ByteLine, ByteQuery, Path, Product, ROWS};

/// What rounding can hide in the bound by planes: 16-bit columns, and f32 arithmetic (docs/cache.md).
const PLANE_SLACK: f32 = 4e-4;
/// What rounding can hide in the bound by bytes: f32 arithmetic, and the turn.
const BYTE_SLACK: f32 = 5e-5;
/// With fewer rows left in a block, comparing their bytes is cheaper than reading the second plane.
const FEW: u32 = 4;

/// A vector to search for.
pub(super) struct Query<'a> {
    path: Path,
    pub unit: &'a [f32],
    bytes: ByteQuery,
    figures: Figures,
    /// The length of what is not along the common mean.
    length: f32,
    dimension: f32,
    parts: Option<[QueryPart; 2]>,
}

/// One part of the dimensions: its tables, and how a sum of entries becomes an inner product with signs.
struct QueryPart {
    tables: Vec<ByteLine>,
    length: f32,
    root: f32,
    step: f32,
    /// Less the sum of absolute values, plus what rounding the entries can hide.
    offset: f32,
}

impl<'a> Query<'a> {
    pub fn new(encoder: &Encoder, unit: &'a [f32], with_planes: bool) -> Self {
        let (path, layout) = (encoder.path, encoder.layout);
        let mut prepared = Prepared::default();
        encoder.prepare(unit, &mut prepared);
        let rest = &prepared.rest;
        let mut codes = vec![0; layout.stride];
        let figures = quantize(path, prepared.along, &rest[..layout.dimension], &mut codes);
        let split = (layout.first_chunks * kernel::CHUNK_DIMENSIONS).min(rest.len());
        let parts = with_planes.then(|| {
            let (first, second) = rest.split_at(split);
            [QueryPart::new(path, first, layout.first()), QueryPart::new(path, second, layout.second())]
        });
        Self {
            path,
            unit,
            bytes: ByteQuery::new(codes),
            figures,
            length: kernel::dot(path, rest, rest).sqrt(),
            dimension: layout.dimension as f32,
            parts,
        }
    }

    pub fn first_tables(&self) -> &[ByteLine] {
        self.parts.as_ref().map_or(&[], |parts| &parts[0].tables)
    }

    /// The rows of a block that may reach `least`, by their signs: a bit for each.
    pub fn sift(&self, block: BlockView<'_>, ahead: Option<BlockView<'_>>, alive: u64, least: f32) -> u64 {
        let next = ahead.map_or(&[][..], |block| block.signs(0));
        let mut sums = [0; ROWS];
        kernel::scan(self.path, block.signs(0), next, self.first_tables(), &mut sums);
        self.sift_on(block, ahead, alive, &sums, least)
    }

    /// The same, with the sums of the first part at hand. What this block must read further, the one ahead will too.
    pub fn sift_on(
        &self,
        block: BlockView<'_>,
        ahead: Option<BlockView<'_>>,
        alive: u64,
        sums_first: &[u16; ROWS],
        least: f32,
    ) -> u64 {
        let (Some(parts), Some(first), Some(rest)) = (&self.parts, block.first(), block.rest()) else { return alive };
        let least = least - PLANE_SLACK;
        let mean = (self.figures.along / ONE, &first.mean);
        let signs = |part: usize, sums, column| Product {
            sums,
            slope: parts[part].step / parts[part].root / ONE,
            offset: parts[part].offset / parts[part].root / ONE,
            column,
        };
        let lengths = [parts[0].length / ONE, parts[1].length / ONE];
        let first_signs = signs(0, sums_first, &first.along);
        let first_across = (lengths[0], &first.across);
        let linear = [mean, first_across, (lengths[1], &first.open)];
        let mut left = alive & kernel::survivors(self.path, &linear, &[first_signs], least);
        if left == 0 {
            return 0;
        }
        let mut second = [0; ROWS];
        let next = ahead.map_or(&[][..], |block| block.signs(1));
        kernel::scan(self.path, block.signs(1), next, &parts[1].tables, &mut second);
        let linear = [mean, first_across, (lengths[1], &rest.across)];
        let both = [first_signs, signs(1, &second, &rest.along)];
        left &= kernel::survivors(self.path, &linear, &both, least);
        if left.count_ones() < FEW {
            return left;
        }
        let mut sizes = [[0; ROWS]; 2];
        for (part, sums) in sizes.iter_mut().enumerate() {
            let next = ahead.map_or(&[][..], |block| block.sizes(part));
            kernel::scan(self.path, block.sizes(part), next, &parts[part].tables, sums);
        }
        let scale = (PAIR_ONE * self.dimension.sqrt()).recip();
        let pair = |part: usize, sums, weight: f32| Product {
            sums,
            slope: parts[part].step * weight * scale,
            offset: parts[part].offset * weight * scale,
            column: &rest.pair,
        };
        let four =
            [pair(0, sums_first, 1.0), pair(1, &second, 1.0), pair(0, &sizes[0], RATIO), pair(1, &sizes[1], RATIO)];
        left & kernel::survivors(self.path, &[mean, (self.length / ONE, &rest.pair_across)], &four, least)
    }

    /// No row's similarity is above this, by its bytes.
    pub fn bound(&self, figures: &Figures, codes: &[i8]) -> f32 {
        let dot = self.bytes.dot(self.path, codes, figures.sum) as f32;
        self.figures.along * figures.along
            + self.figures.step * figures.step * dot
            + figures.length * self.figures.error
            + figures.error * self.length
            + BYTE_SLACK
    }

    /// The similarity of a row.
    pub fn score(&self, row: &[f32]) -> f32 {
        kernel::dot(self.path, self.unit, row)
    }
}

impl QueryPart {
    fn new(path: Path, vector: &[f32], dimension: usize) -> Self {
        let groups = vector.len() / kernel::GROUP;
        // Sixteen bits must hold the sum of one entry of each table.
        let most = (usize::from(u16::MAX) / groups.max(1)).min(127) as f32;
        let mut tables = vec![ByteLine::default(); groups];
        let step = kernel::tables(path, vector, most, &mut tables);
        let hidden = groups as f32 * step * 0.5 * 1.001;
        Self {
            offset: hidden - kernel::absolute_sum(path, vector),
            length: kernel::dot(path, vector, vector).sqrt(),
            root: (dimension.max(1) as f32).sqrt(),
            tables,
            step,
        }
    }
}
