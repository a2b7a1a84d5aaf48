//! From what the model says to a probability: lines between points that were fitted on pairs it had not seen.

use super::file::ModelFile;
use crate::Result;

/// Probabilities at ascending logits.
#[derive(Debug)]
pub(super) struct Calibration {
    logits: Vec<f32>,
    probabilities: Vec<f32>,
}

impl Calibration {
    pub(super) fn read(file: &ModelFile<'_>) -> Result<Self> {
        let [logits, probabilities] = ["calibration.logit", "calibration.probability"];
        let count = file.shape(logits)?.first().copied().unwrap_or(0);
        let read =
            Self { logits: file.floats(logits, &[count])?, probabilities: file.floats(probabilities, &[count])? };
        if count == 0 || !read.logits.is_sorted() {
            return Err(file.refuse(format!("{logits} must be ascending, and not empty")));
        }
        if read.probabilities.iter().any(|p| !(0.0..=1.0).contains(p)) {
            return Err(file.refuse(format!("{probabilities} must be from 0 to 1")));
        }
        Ok(read)
    }

    /// The probability at a logit: on the line between two points, flat beyond the first and the last.
    pub(super) fn at(&self, logit: f32) -> f32 {
        let above = self.logits.partition_point(|&x| x < logit);
        let (Some(&right), Some(&high)) = (self.logits.get(above), self.probabilities.get(above)) else {
            return self.probabilities.last().copied().unwrap_or(f32::NAN);
        };
        let Some(below) = above.checked_sub(1) else { return high };
        let (left, low) = (self.logits[below], self.probabilities[below]);
        low + (high - low) * ((logit - left) / (right - left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lie_between_the_points_and_are_flat_beyond() {
        let lines = Calibration { logits: vec![-2.0, 0.0, 0.0, 4.0], probabilities: vec![0.1, 0.2, 0.6, 1.0] };
        let found = [-9.0, -2.0, -1.0, 0.0, 1.0, 4.0, 9.0].map(|logit| lines.at(logit));
        let expected = [0.1, 0.1, 0.15, 0.2, 0.7, 1.0, 1.0];
        assert!(found.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-6), "{found:?}");
    }
}
