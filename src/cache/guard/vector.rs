//! The vector of a word, kept small: a question has several, and a cache many questions.

/// A vector of unit length in one byte a number, which moves a cosine by less than a hundredth.
#[derive(Debug, Clone)]
pub(super) struct WordVector {
    codes: Box<[i8]>,
    /// What a code of 1 stands for.
    step: f32,
}

impl WordVector {
    pub(super) fn new(vector: &[f32]) -> Self {
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        let largest = vector.iter().fold(0.0_f32, |largest, value| largest.max(value.abs())).max(f32::MIN_POSITIVE);
        let scale = 127.0 / largest;
        Self {
            codes: vector.iter().map(|value| (value * scale).round() as i8).collect(),
            step: largest / (127.0 * length),
        }
    }

    pub(super) fn cosine(&self, other: &Self) -> f32 {
        let dot: i32 = self.codes.iter().zip(&other.codes).map(|(&one, &two)| i32::from(one) * i32::from(two)).sum();
        dot as f32 * self.step * other.step
    }

    /// Adds `weight` times this vector to `sum`, which grows to its length where it is empty.
    pub(super) fn add_to(&self, sum: &mut Vec<f32>, weight: f32) {
        sum.resize(self.codes.len().max(sum.len()), 0.0);
        let weight = weight * self.step;
        for (total, &code) in sum.iter_mut().zip(&self.codes) {
            *total += weight * f32::from(code);
        }
    }
}

/// The cosine of two sums of vectors; zero where one has no direction.
pub(super) fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let lengths = (dot(one, one) * dot(other, other)).sqrt();
    if lengths > 0.0 { dot(one, other) / lengths } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_the_cosine() {
        let one: Vec<f32> = (0..256).map(|i| (i as f32 * 0.7).sin()).collect();
        let other: Vec<f32> = (0..256).map(|i| (i as f32 * 0.7 + 0.5).sin()).collect();
        let exact = cosine(&one, &other);
        let (small, smaller) = (WordVector::new(&one), WordVector::new(&other));
        assert!((small.cosine(&smaller) - exact).abs() < 0.01);
        assert!((small.cosine(&small) - 1.0).abs() < 0.01);
        let mut sum = Vec::new();
        small.add_to(&mut sum, 2.0);
        assert!((cosine(&sum, &one) - 1.0).abs() < 0.001);
        assert!(cosine(&[], &[]).abs() < f32::EPSILON);
    }
}
