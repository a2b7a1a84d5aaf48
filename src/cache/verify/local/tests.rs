//! The model beside its definition, on every kind of processor, alone and in batches; and files that are none.

use super::file::ModelFile;
use super::model::Model;
use super::sample::{QUESTIONS, SampleFile};
use super::*;
use crate::cache::kernel;
use crate::cache::verify::Ruling;
use proptest::prelude::*;
use std::sync::LazyLock;

/// Small, for what reads them is not optimised: a model that reads pairs in one order, and one that reads them in both.
static SAMPLES: LazyLock<[SampleFile; 2]> = LazyLock::new(|| [SampleFile::new(1, 2, 1), SampleFile::new(2, 1, 2)]);

/// With words of the vocabulary, words that are made of several pieces, and one that is unknown.
const SHORT: [&str; 4] = ["Scope 1 in 2023?", "waste of zinc", "Is water 60?", "the 中 plan"];

fn model(file: &SampleFile, path: kernel::Path) -> Model {
    read(&file.bytes().unwrap(), path).unwrap()
}

fn read(bytes: &[u8], path: kernel::Path) -> Result<Model> {
    Model::read(&ModelFile::new(Path::new("some.safetensors"), bytes)?, path)
}

fn pairs() -> Vec<QuestionPair<'static>> {
    let pair = |(asked, stored): (usize, usize)| QuestionPair { asked: SHORT[asked], stored: SHORT[stored] };
    [(0, 1), (2, 3), (0, 0), (3, 1)].map(pair).into()
}

fn bits(logits: &[Option<f32>]) -> Vec<Option<u32>> {
    logits.iter().map(|logit| logit.map(f32::to_bits)).collect()
}

#[test]
fn what_the_model_says_is_what_its_definition_says() {
    for (orders, file) in SAMPLES.iter().enumerate() {
        let model = model(file, kernel::Path::detect());
        for pair in &pairs()[..3] {
            let [asked, stored] = [pair.asked, pair.stored].map(|text| model.pieces(text));
            let mut expected = reference::logit(file, &asked, &stored);
            if orders == 1 {
                expected = 0.5 * (expected + reference::logit(file, &stored, &asked));
            }
            let found = f64::from(model.logits(&[*pair])[0].unwrap());
            assert!((found - expected).abs() < 2e-3, "{pair:?} {found} {expected}");
        }
    }
}

#[test]
fn every_path_gives_equal_bits_alone_and_in_batches() {
    let pairs = &pairs()[..2];
    for file in &SAMPLES[1..] {
        let expected = model(file, kernel::Path::detect()).logits(pairs);
        assert!(expected.iter().all(Option::is_some));
        for path in kernel::Path::available() {
            let model = model(file, path);
            assert_eq!(bits(&model.logits(pairs)), bits(&expected), "{path:?}");
            for (pair, expected) in pairs.iter().zip(&expected) {
                assert_eq!(bits(&model.logits(&[*pair])), bits(&[*expected]), "{path:?} {pair:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_read_is_unsure_and_leaves_the_others_alone() {
    let model = model(&SAMPLES[1], kernel::Path::detect());
    let [long, fitting] = [64, 62].map(|words| "a ".repeat(words));
    let pair = |asked, stored| QuestionPair { asked, stored };
    let (one, other) = (QUESTIONS[0], QUESTIONS[1]);
    let asked = [
        pair(one, other),
        pair("", one),
        pair(&long, &long),
        pair(one, " \n"),
        pair(&fitting, &fitting),
        pair(one, other),
    ];
    let found = model.logits(&asked);
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, false, true, true]);
    assert_eq!(bits(&found[..1]), bits(&found[5..]));
    assert_eq!(model.judge(None), Judgement::UNSURE);
    assert!(model.logits(&[]).is_empty());
}

#[test]
fn a_logit_becomes_a_probability_and_a_probability_a_ruling() {
    let model = model(&SAMPLES[0], kernel::Path::detect());
    let ruling = |probability| model.judge(Some(probability)).ruling;
    assert_eq!([0.99, 0.5, 0.01].map(ruling), [Ruling::Same, Ruling::Unsure, Ruling::Different]);
    assert!((model.probability(1.0) - 0.685).abs() < 1e-6);
}

#[test]
fn a_file_is_read_once_at_the_first_pair() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("verifier.safetensors");
    assert!(matches!(LocalVerifier::open(&path), Err(Error::Config(told)) if told.contains("verifier.safetensors")));
    assert!(LocalVerifier::open(folder.path()).is_err());
    std::fs::write(&path, SAMPLES[0].bytes().unwrap()).unwrap();
    let (first, second) = (LocalVerifier::open(&path).unwrap(), LocalVerifier::open(&path).unwrap());
    assert!(!first.is_loaded());
    let pairs = pairs();
    let judged = first.verify(&pairs[..2]).unwrap();
    assert!(first.is_loaded() && second.is_loaded());
    assert_eq!(second.verify(&pairs[..2]).unwrap(), judged);
    assert_eq!((second.name(), second.model_name().unwrap()), ("local", "sample"));
    assert!(second.memory().unwrap() > 3_000_000);
    // Another file in its place is another model.
    std::fs::write(&path, [&SAMPLES[1].bytes().unwrap()[..], b" "].concat()).unwrap();
    let third = LocalVerifier::open(&path).unwrap();
    assert!(!third.is_loaded());
    assert!(matches!(third.verify(&pairs), Err(Error::Config(told)) if told.contains("verifier.safetensors")));
    assert!(first.verify(&pairs).is_ok());
}

#[test]
fn a_file_of_another_kind_or_shape_is_told_by_what_is_wrong() {
    let spoil = |how: &dyn Fn(&mut SampleFile)| {
        let mut file = SAMPLES[0].clone();
        how(&mut file);
        match read(&file.bytes().unwrap(), kernel::Path::detect()) {
            Ok(_) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let note = |name: &'static str, value: &'static str| {
        spoil(&|file| {
            file.notes.insert(name.into(), value.into());
        })
    };
    for (told, expected) in [
        (spoil(&|_| ()), "nothing"),
        (spoil(&SampleFile::seal), "nothing"),
        (note("format", "onnx"), "format"),
        (note("version", "2"), "version"),
        (note("layers", "3"), "layer.2.query"),
        (note("layers", "0"), "layers"),
        (note("layers", "999999999999"), "layers"),
        (note("heads", "8"), "heads"),
        (note("orders", "many"), "orders"),
        (note("max_tokens", "64"), "embed.position"),
        (note("same_at", "NaN"), "same_at"),
        (note("same_at", "0.2"), "different_at"),
        (note("crc32", "00000000"), "crc32"),
        (spoil(&|file| drop(file.notes.remove("name"))), "name"),
        (spoil(&|file| drop(file.tensors.remove("head.2.bias"))), "head.2.bias"),
        (spoil(&|file| file.set("head.2.bias", &[1], &[f32::NAN])), "head.2.bias"),
        (spoil(&|file| file.set("head.2.bias", &[2], &[0.0, 0.0])), "head.2.bias"),
        (spoil(&|file| file.set("head.2.bias", &[], &[0.0])), "head.2.bias"),
        (spoil(&|file| file.set("calibration.logit", &[0], &[])), "calibration"),
        (spoil(&|file| file.set("calibration.logit", &[], &[0.0])), "calibration"),
        (spoil(&|file| file.set("calibration.logit", &[3], &[0.0, 2.0, 1.0])), "ascending"),
        (spoil(&|file| file.set("calibration.probability", &[3], &[0.0, 0.5, 1.5])), "calibration.probability"),
        (spoil(&|file| file.set("layer.1.up.weight", &[1], &[0.0])), "layer.1.up.weight"),
        (spoil(&|file| file.tensors.get_mut("layer.0.down.weight").unwrap().2[7] = 0x80), "layer.0.down.weight"),
        (spoil(&|file| file.tensors.get_mut("vocabulary").unwrap().2[7] = 0xFF), "vocabulary"),
        (spoil(&|file| file.tensors.get_mut("vocabulary").unwrap().2[1] = b'X'), "vocabulary"),
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn weights_beyond_all_measure_are_unsure() {
    let mut file = SAMPLES[0].clone();
    file.set("layer.0.norm1.weight", &[384], &[f32::MAX; 384]);
    let expected = model(&file, kernel::Path::detect()).logits(&pairs()[..2]);
    for path in kernel::Path::available() {
        assert_eq!(bits(&model(&file, path).logits(&pairs()[..2])), bits(&expected), "{path:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Most of the file is weights, of which each is as good as another: what is flipped lies in its head or anywhere.
    #[test]
    fn a_damaged_file_is_refused_or_read_and_nothing_else(
        at in prop_oneof![0_usize..6000, 0_usize..3_000_000],
        to in any::<u8>(),
        is_cut in any::<bool>(),
    ) {
        static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let mut file = SampleFile::new(3, 1, 1);
            file.seal();
            file.bytes().unwrap()
        });
        let mut bytes = BYTES.clone();
        let at = at % bytes.len();
        let is_changed = is_cut || bytes[at] != to;
        if is_cut {
            bytes.truncate(at);
        } else {
            bytes[at] = to;
        }
        match read(&bytes, kernel::Path::detect()) {
            // A changed note may be as good as the old one; the tensors have a checksum.
            Ok(model) => prop_assert!(!is_changed || at < 6000 && model.logits(&pairs()[..1]).len() == 1),
            Err(error) => prop_assert!(matches!(&error, Error::Config(told) if told.contains("some.safetensors"))),
        }
    }
}
