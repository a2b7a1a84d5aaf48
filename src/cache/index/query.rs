//! A question as the codes see it, and the bounds on how near a row can be.

use super::block::{Block, Figures, ONE, PAIR_ONE, Planes, RATIO, quantize};
use super::encoder::{Encoder, Prepared};
use crate::cache::kernel::{self, ByteQuery, ENTRIES, Path, Product, ROWS};

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
    parts: Option<[Part; 2]>,
}

/// One part of the dimensions: its tables, and how a sum of entries becomes an inner product with signs.
struct Part {
    tables: Vec<u8>,
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
            [Part::new(path, first, layout.first()), Part::new(path, second, layout.second())]
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

    pub fn first_tables(&self) -> &[u8] {
        self.parts.as_ref().map_or(&[], |parts| &parts[0].tables)
    }

    /// The rows of a block that may reach `least`, by their signs: a bit for each.
    pub fn sift(&self, block: &Block, ahead: Option<&Block>, alive: u64, least: f32) -> u64 {
        let (Some(parts), Some(planes)) = (&self.parts, &block.planes) else { return alive };
        let ahead: &[u8] = ahead.and_then(|block| block.planes.as_ref()).map_or(&[], |planes| &planes.signs[0]);
        let mut sums = [0; ROWS];
        kernel::scan(self.path, &planes.signs[0], ahead, &parts[0].tables, &mut sums);
        self.sift_on(planes, alive, &sums, least)
    }

    /// The same, with the sums of the first part at hand.
    pub fn sift_on(&self, planes: &Planes, alive: u64, first: &[u16; ROWS], least: f32) -> u64 {
        let Some(parts) = &self.parts else { return alive };
        let least = least - PLANE_SLACK;
        let along = (self.figures.along / ONE, &planes.along);
        let signs = |part: usize, sums| Product {
            sums,
            slope: parts[part].step / parts[part].root / ONE,
            offset: parts[part].offset / parts[part].root / ONE,
            column: &planes.part[part],
        };
        let across = |part: usize| (parts[part].length / ONE, &planes.across[part]);

        let open = (parts[1].length / ONE, &planes.second);
        let mut left = alive & kernel::survivors(self.path, &[along, across(0), open], &[signs(0, first)], least);
        if left == 0 || parts[1].tables.is_empty() && left.count_ones() < FEW {
            return left;
        }
        let mut second = [0; ROWS];
        kernel::scan(self.path, &planes.signs[1], &[], &parts[1].tables, &mut second);
        let both = [signs(0, first), signs(1, &second)];
        left &= kernel::survivors(self.path, &[along, across(0), across(1)], &both, least);
        if left.count_ones() < FEW {
            return left;
        }
        let mut sizes = [[0; ROWS]; 2];
        for (part, sums) in sizes.iter_mut().enumerate() {
            kernel::scan(self.path, &planes.sizes[part], &[], &parts[part].tables, sums);
        }
        let scale = (PAIR_ONE * self.dimension.sqrt()).recip();
        let pair = |part: usize, sums, weight: f32| Product {
            sums,
            slope: parts[part].step * weight * scale,
            offset: parts[part].offset * weight * scale,
            column: &planes.pair,
        };
        let four = [pair(0, first, 1.0), pair(1, &second, 1.0), pair(0, &sizes[0], RATIO), pair(1, &sizes[1], RATIO)];
        left & kernel::survivors(self.path, &[along, (self.length / ONE, &planes.pair_across)], &four, least)
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

impl Part {
    fn new(path: Path, vector: &[f32], dimension: usize) -> Self {
        let groups = vector.len() / kernel::GROUP;
        // Sixteen bits must hold the sum of one entry of each table.
        let most = (usize::from(u16::MAX) / groups.max(1)).min(127) as f32;
        let mut tables = vec![0; groups * ENTRIES];
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
