//! The layers of the model: attention, then two products with a bend between them.

use super::embedding::Norm;
use super::file::ModelFile;
use crate::Result;
use crate::cache::kernel::{self, Activation, ByteMatrix, ByteRows, HIDDEN};
use std::ops::Range;

/// Numbers of a token within the second half of a layer.
pub(super) const INNER: usize = 1536;

/// One layer's weights.
pub(super) struct TextLayer {
    /// Query, key and value side by side.
    mixed: ByteMatrix,
    output: ByteMatrix,
    after_attention: Norm,
    up: ByteMatrix,
    down: ByteMatrix,
    after_all: Norm,
}

/// Room for the numbers between the products, kept from one call to the next.
#[derive(Default)]
pub(super) struct LayerRoom {
    /// Each token's numbers.
    pub(super) hidden: Vec<f32>,
    /// What was added to them last.
    pub(super) added: Vec<f32>,
    wide: Vec<f32>,
    attention: Vec<f32>,
    bytes: ByteRows,
}

impl LayerRoom {
    /// Makes room for so many tokens.
    pub(super) fn fit(&mut self, tokens: usize) {
        self.hidden.resize(tokens * HIDDEN, 0.0);
        self.added.resize(tokens * HIDDEN, 0.0);
        self.wide.resize(tokens * INNER, 0.0);
        self.attention.resize(kernel::ATTENTION_ROOM, 0.0);
    }
}

/// A matrix of the file from `depth` numbers to those of all `names`, side by side.
fn matrix(file: &ModelFile<'_>, layer: usize, names: &[&str], depth: usize, columns: usize) -> Result<ByteMatrix> {
    let (mut codes, mut scales, mut bias) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let name = format!("layer.{layer}.{name}");
        codes.extend(file.codes(&format!("{name}.weight"), &[columns, depth])?);
        scales.extend(file.floats(&format!("{name}.scale"), &[columns])?);
        bias.extend(file.floats(&format!("{name}.bias"), &[columns])?);
    }
    Ok(ByteMatrix::pack(depth, &codes, &scales, &bias))
}

impl TextLayer {
    pub(super) fn read(file: &ModelFile<'_>, layer: usize) -> Result<Self> {
        Ok(Self {
            mixed: matrix(file, layer, &["query", "key", "value"], HIDDEN, HIDDEN)?,
            output: matrix(file, layer, &["output"], HIDDEN, HIDDEN)?,
            after_attention: Norm::read(file, &format!("layer.{layer}.norm1"))?,
            up: matrix(file, layer, &["up"], HIDDEN, INNER)?,
            down: matrix(file, layer, &["down"], INNER, HIDDEN)?,
            after_all: Norm::read(file, &format!("layer.{layer}.norm2"))?,
        })
    }

    /// The bytes of memory that the weights take.
    pub(super) fn size(&self) -> usize {
        let matrices = [&self.mixed, &self.output, &self.up, &self.down];
        matrices.iter().map(|matrix| matrix.size()).sum::<usize>() + 4 * size_of::<[f32; HIDDEN]>()
    }

    /// Takes all texts a layer further; `texts` are the rows of each.
    pub(super) fn run(&self, path: kernel::Path, texts: &[Range<usize>], room: &mut LayerRoom) {
        let LayerRoom { hidden, added, wide, attention, bytes } = room;
        let tokens = hidden.len() / HIDDEN;
        let columns = self.mixed.columns();
        bytes.set(path, hidden, HIDDEN);
        kernel::product(path, bytes, &self.mixed, Activation::Linear, &mut wide[..tokens * columns]);
        for text in texts {
            let heard = &mut added[text.start * HIDDEN..text.end * HIDDEN];
            kernel::attend(path, &wide[text.start * columns..text.end * columns], attention, heard);
        }
        bytes.set(path, added, HIDDEN);
        kernel::product(path, bytes, &self.output, Activation::Linear, added);
        kernel::add_and_normalize(path, hidden, added, &self.after_attention.weight, &self.after_attention.bias);
        bytes.set(path, hidden, HIDDEN);
        kernel::product(path, bytes, &self.up, Activation::Gelu, wide);
        bytes.set(path, wide, INNER);
        kernel::product(path, bytes, &self.down, Activation::Linear, added);
        kernel::add_and_normalize(path, hidden, added, &self.after_all.weight, &self.after_all.bias);
    }
}
