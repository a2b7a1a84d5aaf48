//! The model once more, as its definition reads: plain loops over numbers of twice the precision, and the mathematical
//! functions of a library. It shares the reading of words with the model, and nothing else.

use super::sample::SampleFile;
use statrs::function::erf::erf;

type Rows = Vec<Vec<f64>>;

struct Reader<'a>(&'a SampleFile);

impl Reader<'_> {
    fn floats(&self, name: &str) -> Vec<f64> {
        self.0.tensors[name].2.as_chunks().0.iter().map(|&four| f64::from(f32::from_le_bytes(four))).collect()
    }

    fn rows(&self, name: &str) -> Rows {
        let width = self.0.tensors[name].1[1];
        self.floats(name).chunks(width).map(<[f64]>::to_vec).collect()
    }

    fn codes(&self, name: &str) -> Rows {
        let (_, shape, bytes) = &self.0.tensors[name];
        bytes.chunks(shape[1]).map(|row| row.iter().map(|&code| f64::from(code.cast_signed())).collect()).collect()
    }

    /// Each row as whole numbers times its step, then the product, as the file's definition says.
    fn linear(&self, name: &str, rows: &Rows) -> Rows {
        let weights = self.codes(&format!("{name}.weight"));
        let (scales, bias) = (self.floats(&format!("{name}.scale")), self.floats(&format!("{name}.bias")));
        let product = |row: &Vec<f64>| {
            let step = row.iter().fold(0.0, |most: f64, x| most.max(x.abs())) / 127.0;
            let codes: Vec<f64> = row.iter().map(|x| (x / step).round_ties_even()).collect();
            let column = |n: usize| step * scales[n] * dot(&codes, &weights[n]) + bias[n];
            (0..weights.len()).map(column).collect()
        };
        rows.iter().map(product).collect()
    }

    fn normalize(&self, name: &str, rows: &mut Rows) {
        let (weight, bias) = (self.floats(&format!("{name}.weight")), self.floats(&format!("{name}.bias")));
        for row in rows {
            let mean = row.iter().sum::<f64>() / row.len() as f64;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
            for (n, x) in row.iter_mut().enumerate() {
                *x = (*x - mean) / (variance + 1e-12).sqrt() * weight[n] + bias[n];
            }
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x / 2.0_f64.sqrt()))
}

fn add(rows: &mut Rows, added: &Rows) {
    for (x, y) in rows.iter_mut().flatten().zip(added.iter().flatten()) {
        *x += y;
    }
}

fn attend(queries: &Rows, keys: &Rows, values: &Rows) -> Rows {
    let token = |query: &Vec<f64>| {
        let head = |n: usize| {
            let part = n * 32..(n + 1) * 32;
            let score = |key: &Vec<f64>| (dot(&query[part.clone()], &key[part.clone()]) / 32.0_f64.sqrt()).exp();
            let weights: Vec<f64> = keys.iter().map(score).collect();
            let sum: f64 = weights.iter().sum();
            part.map(move |i| values.iter().zip(&weights).map(|(value, w)| value[i] * w).sum::<f64>() / sum)
                .collect::<Vec<_>>()
        };
        (0..12).flat_map(head).collect()
    };
    queries.iter().map(token).collect()
}

/// The logit of one text of a pair: the pieces of the first question and of the second.
pub(super) fn logit(file: &SampleFile, first: &[u32], second: &[u32]) -> f64 {
    let read = Reader(file);
    let mut tokens: Vec<(u32, usize, usize)> = vec![(2, 0, 0)];
    tokens.extend(first.iter().map(|id| (*id, 0, 2 - usize::from(second.contains(id)))));
    tokens.push((3, 0, 0));
    tokens.extend(second.iter().map(|id| (*id, 1, 2 - usize::from(first.contains(id)))));
    tokens.push((3, 1, 0));
    let (words, scales) = (read.codes("embed.word"), read.floats("embed.word.scale"));
    let [places, segments, matches] = ["embed.position", "embed.segment", "embed.match"].map(|name| read.rows(name));
    let embed = |(place, &(id, segment, found)): (usize, &(u32, usize, usize))| {
        let id = id as usize;
        let number = |i: usize| words[id][i] * scales[id] + places[place][i] + segments[segment][i] + matches[found][i];
        (0..384).map(number).collect()
    };
    let mut rows: Rows = tokens.iter().enumerate().map(embed).collect();
    read.normalize("embed.norm", &mut rows);
    for layer in 0..file.notes["layers"].parse().unwrap() {
        let layer: usize = layer;
        let name = |part: &str| format!("layer.{layer}.{part}");
        let [queries, keys, values] = ["query", "key", "value"].map(|part| read.linear(&name(part), &rows));
        add(&mut rows, &read.linear(&name("output"), &attend(&queries, &keys, &values)));
        read.normalize(&name("norm1"), &mut rows);
        let mut inner = read.linear(&name("up"), &rows);
        inner.iter_mut().flatten().for_each(|x| *x = gelu(*x));
        add(&mut rows, &read.linear(&name("down"), &inner));
        read.normalize(&name("norm2"), &mut rows);
    }
    let mean = (0..384).map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / rows.len() as f64);
    let pooled: Vec<f64> = rows[0].iter().copied().chain(mean).collect();
    let bias = read.floats("head.1.bias");
    let inner = read
        .rows("head.1.weight")
        .iter()
        .zip(bias)
        .map(|(row, bias)| gelu(dot(row, &pooled) + bias))
        .collect::<Vec<_>>();
    dot(&read.floats("head.2.weight"), &inner) + read.floats("head.2.bias")[0]
}
