//! The file of a model: named tensors and notes, each looked at before it is used.

use crate::{Error, Result};
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

/// What the notes of every such file say.
const KIND: [(&str, &str); 2] = [("format", "headrace-verifier"), ("version", "1")];
/// The note with a checksum of all tensors, in the order of their names; a file may be without it.
const CHECKSUM: &str = "crc32";

/// An open file.
pub(super) struct ModelFile<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
    notes: HashMap<String, String>,
}

fn refusal(path: &Path, why: impl Display) -> Error {
    Error::Config(format!(
        "{} is no model that this verifier can read: {why}; install headrace anew, or give a file that was written for \
         this version",
        path.display()
    ))
}

impl<'a> ModelFile<'a> {
    /// Looks through the head of a file's bytes.
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let (_, head) = SafeTensors::read_metadata(bytes).map_err(|error| refusal(path, error))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| refusal(path, error))?;
        let file = Self { path, tensors, notes: head.metadata().clone().unwrap_or_default() };
        for (note, expected) in KIND {
            let found = file.note(note)?;
            if found != expected {
                return Err(file.refuse(format!("its {note} is {found:?}, not {expected:?}")));
            }
        }
        file.check_sum()?;
        Ok(file)
    }

    fn check_sum(&self) -> Result<()> {
        let Some(expected) = self.notes.get(CHECKSUM) else { return Ok(()) };
        let mut names = self.tensors.names();
        names.sort_unstable();
        let mut sum = crc32fast::Hasher::new();
        for name in names {
            sum.update(self.tensor(name)?.data());
        }
        let found = format!("{:08x}", sum.finalize());
        if found == *expected { Ok(()) } else { Err(self.refuse(format!("its {CHECKSUM} is {found}, not {expected}"))) }
    }

    /// What is said of a file that cannot be taken.
    pub(super) fn refuse(&self, why: impl Display) -> Error {
        refusal(self.path, why)
    }

    /// A note of the file's head.
    pub(super) fn note(&self, name: &str) -> Result<&str> {
        self.notes.get(name).map(String::as_str).ok_or_else(|| self.refuse(format!("it has no note {name:?}")))
    }

    /// A note that is a number between two bounds.
    pub(super) fn number<T: FromStr + PartialOrd + Display>(&self, name: &str, least: T, most: T) -> Result<T> {
        let text = self.note(name)?;
        let number = text.parse().ok().filter(|number| (&least..=&most).contains(&number));
        number.ok_or_else(|| self.refuse(format!("its {name} is {text:?}, not a number from {least} to {most}")))
    }

    fn tensor(&self, name: &str) -> Result<safetensors::tensor::TensorView<'a>> {
        self.tensors.tensor(name).map_err(|_| self.refuse(format!("it has no tensor {name:?}")))
    }

    /// A tensor's dimensions.
    pub(super) fn shape(&self, name: &str) -> Result<Vec<usize>> {
        Ok(self.tensor(name)?.shape().to_vec())
    }

    /// The bytes of a tensor of this kind and shape.
    pub(super) fn bytes(&self, name: &str, kind: Dtype, shape: &[usize]) -> Result<&'a [u8]> {
        let tensor = self.tensor(name)?;
        if tensor.dtype() != kind || tensor.shape() != shape {
            let found = format!("{:?} {:?}", tensor.dtype(), tensor.shape());
            return Err(self.refuse(format!("{name:?} is of {found}, not of {kind:?} {shape:?}")));
        }
        Ok(tensor.data())
    }

    /// Finite numbers.
    pub(super) fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let bytes = self.bytes(name, Dtype::F32, shape)?;
        let floats: Vec<f32> = bytes.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect();
        if floats.iter().all(|x| x.is_finite()) {
            return Ok(floats);
        }
        Err(self.refuse(format!("{name:?} has a number that is not finite")))
    }

    /// `N` finite numbers.
    pub(super) fn array<const N: usize>(&self, name: &str) -> Result<Box<[f32; N]>> {
        let floats = self.floats(name, &[N])?.into_boxed_slice();
        floats.try_into().map_err(|_| self.refuse(format!("{name:?} has not {N} numbers")))
    }

    /// Signed bytes, -127 to 127: every path of the kernel multiplies those exactly.
    pub(super) fn codes(&self, name: &str, shape: &[usize]) -> Result<Vec<i8>> {
        let codes: Vec<i8> = self.bytes(name, Dtype::I8, shape)?.iter().map(|byte| byte.cast_signed()).collect();
        if codes.contains(&i8::MIN) {
            return Err(self.refuse(format!("{name:?} has a -128: the codes go from -127 to 127")));
        }
        Ok(codes)
    }
}
