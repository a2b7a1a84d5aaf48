//! Python arguments of the cache as values of the core.

use crate::error::Result;
use crate::payload::body_from_py;
use headrace::Error;
use headrace::cache::scope;
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt, PyString};
use std::time::Duration;

/// One vector: a float32 array is used where it lies, anything else is converted.
pub(crate) enum Vector<'py> {
    Borrowed(PyReadonlyArray1<'py, f32>),
    Owned(Vec<f32>),
}

impl<'py> Vector<'py> {
    pub fn from_py(object: &Bound<'py, PyAny>) -> Result<Self> {
        if let Ok(array) = object.cast::<PyArray1<f32>>() {
            let array = array.readonly();
            if array.as_slice().is_ok() {
                return Ok(Self::Borrowed(array));
            }
            return Ok(Self::Owned(array.as_array().iter().copied().collect()));
        }
        if let Ok(array) = object.cast::<PyArray1<f64>>() {
            return Ok(Self::Owned(array.readonly().as_array().iter().map(|&x| x as f32).collect()));
        }
        if let Ok(array) = object.cast::<PyUntypedArray>()
            && array.ndim() != 1
        {
            return Err(shape_error(array.shape(), "(dim,)"));
        }
        match object.extract::<Vec<f32>>() {
            Ok(numbers) => Ok(Self::Owned(numbers)),
            Err(_) => Err(PyTypeError::new_err(format!(
                "an embedding must be an array of numbers of shape (dim,), not {}",
                object.get_type().name()?
            ))
            .into()),
        }
    }

    pub fn as_slice(&self) -> &[f32] {
        match self {
            // Its contiguity was seen when it was borrowed.
            Self::Borrowed(array) => array.as_slice().unwrap_or_default(),
            Self::Owned(numbers) => numbers,
        }
    }
}

/// A matrix with a vector in each row.
pub(crate) enum Matrix<'py> {
    Borrowed(PyReadonlyArray2<'py, f32>),
    Owned { flat: Vec<f32>, rows: usize, dimension: usize },
}

impl<'py> Matrix<'py> {
    pub fn from_py(object: &Bound<'py, PyAny>) -> Result<Self> {
        if let Ok(array) = object.extract::<PyReadonlyArray2<'py, f32>>() {
            if array.is_c_contiguous() {
                return Ok(Self::Borrowed(array));
            }
            let (rows, dimension) = (array.shape()[0], array.shape()[1]);
            return Ok(Self::Owned { flat: array.as_array().iter().copied().collect(), rows, dimension });
        }
        if let Ok(array) = object.extract::<PyReadonlyArray2<'py, f64>>() {
            let (rows, dimension) = (array.shape()[0], array.shape()[1]);
            return Ok(Self::Owned { flat: array.as_array().iter().map(|&x| x as f32).collect(), rows, dimension });
        }
        if let Ok(array) = object.cast::<PyUntypedArray>() {
            return Err(shape_error(array.shape(), "(n, dim)"));
        }
        let rows: Vec<Vec<f32>> = object
            .extract()
            .map_err(|_| PyTypeError::new_err("embeddings must be an array of numbers of shape (n, dim)"))?;
        let dimension = rows.first().map_or(0, Vec::len);
        if let Some(other) = rows.iter().find(|row| row.len() != dimension) {
            return Err(Error::Embedding(format!(
                "the embeddings have {dimension} and {} dimensions: give rows of one length",
                other.len()
            ))
            .into());
        }
        Ok(Self::Owned { rows: rows.len(), dimension, flat: rows.concat() })
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Borrowed(array) => array.shape()[0],
            Self::Owned { rows, .. } => *rows,
        }
    }

    pub fn rows(&self) -> Vec<&[f32]> {
        let (flat, dimension) = match self {
            Self::Borrowed(array) => (array.as_slice().unwrap_or_default(), array.shape()[1]),
            Self::Owned { flat, dimension, .. } => (flat.as_slice(), *dimension),
        };
        (0..self.len()).map(|row| &flat[row * dimension..(row + 1) * dimension]).collect()
    }
}

fn shape_error(shape: &[usize], expected: &str) -> crate::error::BindError {
    let shape: Vec<_> = shape.iter().map(ToString::to_string).collect();
    Error::Embedding(format!("the array has the shape ({}): give a float array of shape {expected}", shape.join(", ")))
        .into()
}

/// Canonical JSON for a scope.
pub(crate) fn scope_from_py(scope: Option<&Bound<'_, PyAny>>) -> PyResult<Option<String>> {
    scope.filter(|scope| !scope.is_none()).map(|scope| Ok(scope::canonical(&body_from_py(scope)?))).transpose()
}

/// Seconds or a timedelta.
pub(crate) fn duration(value: Option<&Bound<'_, PyAny>>, name: &str) -> PyResult<Option<Duration>> {
    let Some(value) = value.filter(|value| !value.is_none()) else { return Ok(None) };
    let seconds: f64 = if value.is_instance_of::<PyFloat>() || value.is_instance_of::<PyInt>() {
        value.extract()?
    } else if value.hasattr("total_seconds")? {
        value.call_method0("total_seconds")?.extract()?
    } else {
        let kind = value.get_type().name()?;
        return Err(PyTypeError::new_err(format!("{name} must be seconds or a timedelta, not {kind}")));
    };
    Duration::try_from_secs_f64(seconds).map(Some).map_err(|_| {
        PyValueError::new_err(format!("{name} is {seconds} seconds: give a finite number that is not negative"))
    })
}

/// Dollars (Decimal, int, str, or a float by its shortest digits) as attodollars.
pub(crate) fn cost_from_py(cost: Option<&Bound<'_, PyAny>>) -> PyResult<Option<i128>> {
    let Some(cost) = cost.filter(|cost| !cost.is_none()) else { return Ok(None) };
    let bad =
        || PyValueError::new_err(format!("cost {cost} is no sum of dollars: give a Decimal that is not negative"));
    let decimal = cost.py().import("decimal")?.getattr("Decimal")?;
    let exact = decimal.call1((cost.str()?,)).map_err(|_| bad())?;
    let atto = exact.call_method1("scaleb", (18,)).and_then(|atto| cost.py().get_type::<PyInt>().call1((atto,)));
    let atto: i128 = atto.map_err(|_| bad())?.str()?.to_str()?.parse().map_err(|_| bad())?;
    if atto < 0 { Err(bad()) } else { Ok(Some(atto)) }
}

/// Attodollars as a Decimal of dollars.
pub(crate) fn cost_to_py(py: Python<'_>, atto: i128) -> PyResult<Bound<'_, PyAny>> {
    let decimal = py.import("decimal")?.getattr("Decimal")?;
    decimal.call1((PyString::new(py, &format!("{atto}e-18")),))?.call_method0("normalize")
}
