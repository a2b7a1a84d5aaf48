//! Models of random weights in the form of the file, for tests and the bench: as large as a real one, and as meaningless.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;

/// The parts of a file, which a test may spoil before they are written.
#[derive(Clone)]
pub struct SampleFile {
    /// The notes.
    pub notes: HashMap<String, String>,
    /// The tensors by their names.
    pub tensors: HashMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
}

/// The questions that the sample's vocabulary has words for.
pub const QUESTIONS: [&str; 6] = [
    "What were the scope 1 emissions of Siemens in 2023?",
    "How much waste did the plants in Norway recycle?",
    "Scope 2 emissions, market based, in 2024",
    "Does the policy cover suppliers and their workers?",
    "Who is the owner of the target for water?",
    "Is the share of renewable energy above 60 percent at all sites of the group, as the plan for the year says?",
];

impl SampleFile {
    /// A model of random weights.
    pub fn new(seed: u64, layers: usize, orders: usize) -> Self {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut file = Self { notes: HashMap::new(), tensors: HashMap::new() };
        for (name, value) in [
            ("format", "headrace-verifier"),
            ("version", "1"),
            ("name", "sample"),
            ("heads", "12"),
            ("max_tokens", "128"),
            ("same_at", "0.8"),
            ("different_at", "0.3"),
        ] {
            file.notes.insert(name.into(), value.into());
        }
        file.notes.insert("layers".into(), layers.to_string());
        file.notes.insert("orders".into(), orders.to_string());
        let vocabulary = vocabulary();
        file.tensors.insert("vocabulary".into(), (Dtype::U8, vec![vocabulary.len()], vocabulary.clone().into_bytes()));
        let words = vocabulary.split('\n').count();
        file.codes(random, "embed.word", words, 384);
        file.floats(random, "embed.word.scale", &[words], 0.0004..0.0008);
        file.floats(random, "embed.position", &[128, 384], -0.02..0.02);
        file.floats(random, "embed.segment", &[2, 384], -0.02..0.02);
        file.floats(random, "embed.match", &[3, 384], -0.02..0.02);
        file.norm(random, "embed.norm");
        for layer in 0..layers {
            for (name, columns, depth) in [
                ("query", 384, 384),
                ("key", 384, 384),
                ("value", 384, 384),
                ("output", 384, 384),
                ("up", 1536, 384),
                ("down", 384, 1536),
            ] {
                let name = format!("layer.{layer}.{name}");
                file.codes(random, &format!("{name}.weight"), columns, depth);
                let most = 3.0 / 127.0 / (depth as f32).sqrt();
                file.floats(random, &format!("{name}.scale"), &[columns], 0.5 * most..most);
                file.floats(random, &format!("{name}.bias"), &[columns], -0.1..0.1);
            }
            file.norm(random, &format!("layer.{layer}.norm1"));
            file.norm(random, &format!("layer.{layer}.norm2"));
        }
        file.floats(random, "head.1.weight", &[128, 768], -0.1..0.1);
        file.floats(random, "head.1.bias", &[128], -0.1..0.1);
        file.floats(random, "head.2.weight", &[1, 128], -0.3..0.3);
        file.floats(random, "head.2.bias", &[1], -0.1..0.1);
        file.set("calibration.logit", &[3], &[-2.0, 0.0, 2.0]);
        file.set("calibration.probability", &[3], &[0.02, 0.4, 0.97]);
        file
    }

    /// Sets a tensor of floats.
    pub fn set(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensors.insert(name.into(), (Dtype::F32, shape.to_vec(), bytes));
    }

    fn floats(&mut self, random: &mut StdRng, name: &str, shape: &[usize], range: std::ops::Range<f32>) {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.random_range(range.clone())).collect();
        self.set(name, shape, &values);
    }

    fn codes(&mut self, random: &mut StdRng, name: &str, rows: usize, columns: usize) {
        let codes = (0..rows * columns).map(|_| random.random_range(-127_i8..=127).cast_unsigned()).collect();
        self.tensors.insert(name.into(), (Dtype::I8, vec![rows, columns], codes));
    }

    fn norm(&mut self, random: &mut StdRng, name: &str) {
        self.floats(random, &format!("{name}.weight"), &[384], 0.6..1.4);
        self.floats(random, &format!("{name}.bias"), &[384], -0.2..0.2);
    }

    /// Notes the checksum of the tensors.
    #[cfg_attr(fuzzing, allow(dead_code, reason = "of tests alone"))]
    pub fn seal(&mut self) {
        let mut names: Vec<_> = self.tensors.keys().collect();
        names.sort_unstable();
        let mut sum = crc32fast::Hasher::new();
        for name in names {
            sum.update(&self.tensors[name].2);
        }
        self.notes.insert("crc32".into(), format!("{:08x}", sum.finalize()));
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// Where a tensor is not as long as its shape.
    pub fn bytes(&self) -> Result<Vec<u8>, safetensors::SafeTensorError> {
        let mut views = Vec::with_capacity(self.tensors.len());
        for (name, (kind, shape, bytes)) in &self.tensors {
            views.push((name, TensorView::new(*kind, shape.clone(), bytes)?));
        }
        safetensors::serialize(views, Some(self.notes.clone()))
    }
}

/// The questions' words, letters, digits and marks, as pieces.
fn vocabulary() -> String {
    let mut pieces: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(String::from).into();
    let mut add = |piece: String| {
        if !pieces.contains(&piece) {
            pieces.push(piece);
        }
    };
    for word in QUESTIONS.iter().flat_map(|question| question.split(|c: char| !c.is_alphanumeric())) {
        if !word.is_empty() {
            add(word.to_lowercase());
        }
    }
    for letter in ('a'..='z').chain('0'..='9') {
        add(letter.into());
        add(format!("##{letter}"));
    }
    for mark in ['?', ',', '.', '-'] {
        add(mark.into());
    }
    pieces.join("\n")
}
