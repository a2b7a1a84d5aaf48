//! The index against brute force: on every path, whatever the data, the same rows with the same similarity.

use super::*;
use crate::cache::kernel;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// Kinds of data, from what the codes are made for to what is worst for them.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Gaussian,
    CommonMean,
    Clusters,
    Duplicates,
    Sparse,
    OneDirection,
    Signs,
}

const SHAPES: [Shape; 7] = [
    Shape::Gaussian,
    Shape::CommonMean,
    Shape::Clusters,
    Shape::Duplicates,
    Shape::Sparse,
    Shape::OneDirection,
    Shape::Signs,
];

fn draw(shape: Shape, count: usize, dimension: usize, random: &mut StdRng) -> Vec<Vec<f32>> {
    let normal = |random: &mut StdRng| -> Vec<f32> { (0..dimension).map(|_| StandardNormal.sample(random)).collect() };
    let mean = normal(random);
    let centres: Vec<_> = (0..4).map(|_| normal(random)).collect();
    let row = |random: &mut StdRng| -> Vec<f32> {
        let noise = normal(random);
        match shape {
            Shape::Gaussian => noise,
            Shape::CommonMean => noise.iter().zip(&mean).map(|(x, m)| 0.5 * x + 2.0 * m).collect(),
            Shape::Clusters => {
                noise.iter().zip(&centres[random.random_range(0..4)]).map(|(x, c)| 0.4 * x + c).collect()
            }
            Shape::Duplicates => centres[random.random_range(0..4)].clone(),
            Shape::Sparse => {
                let mut row = vec![0.0; dimension];
                row[random.random_range(0..dimension)] = 1.0;
                row[random.random_range(0..dimension)] = -0.5;
                row
            }
            Shape::OneDirection => noise.iter().zip(&mean).map(|(x, m)| 1e-3 * x + m).collect(),
            Shape::Signs => noise.iter().map(|x| x.signum()).collect(),
        }
    };
    (0..count).map(|_| super::super::vector::unit(&row(random)).unwrap()).collect()
}

fn brute(rows: &[(u64, Vec<f32>)], query: &[f32], threshold: f32) -> Vec<(u64, f32)> {
    let mut found: Vec<_> = rows
        .iter()
        .map(|(id, row)| (*id, kernel::dot(Path::available()[0], query, row)))
        .filter(|(_, score)| *score >= threshold)
        .collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    found
}

fn check(shape: Shape, count: usize, dimension: usize, threshold: f32, seed: u64) {
    let random = &mut StdRng::seed_from_u64(seed);
    let vectors = draw(shape, count, dimension, random);
    let mut rows: Vec<(u64, Vec<f32>)> = vectors.into_iter().enumerate().map(|(i, row)| (i as u64 * 7, row)).collect();
    let mut queries = draw(shape, 3, dimension, random);
    for _ in 0..4 {
        let near = &rows[random.random_range(0..rows.len())].1;
        let noise = draw(Shape::Gaussian, 1, dimension, random).remove(0);
        let weight: f32 = random.random_range(0.0..0.9);
        let mixed: Vec<f32> = near.iter().zip(&noise).map(|(x, n)| x + weight * n).collect();
        queries.push(super::super::vector::unit(&mixed).unwrap_or(noise));
    }
    queries.push(rows[0].1.clone());

    let machines: Vec<_> = Path::available().into_iter().flat_map(|path| [(path, false), (path, true)]).collect();
    let indexes: Vec<Index> =
        machines.into_iter().map(|(path, planes)| Index::with_path(dimension, path, planes)).collect();
    let split = random.random_range(0..rows.len());
    for index in &indexes {
        let ids: Vec<u64> = rows.iter().map(|(id, _)| *id).collect();
        for i in 0..split.min(150) {
            index.insert_many(&ids[i..=i], |_, out| out.copy_from_slice(&rows[i].1));
        }
        let rest = split.min(150);
        index.insert_many(&ids[rest..], |i, out| out.copy_from_slice(&rows[rest + i].1));
    }
    compare(&indexes, &rows, &queries, threshold);

    let mut gone = Vec::new();
    let share = random.random_range(0.0..0.9);
    rows.retain(|(id, _)| {
        let stays = random.random::<f64>() >= share;
        if !stays {
            gone.push(*id);
        }
        stays
    });
    for index in &indexes {
        for &id in &gone {
            index.remove(id);
        }
        assert_eq!(index.len(), rows.len());
    }
    compare(&indexes, &rows, &queries, threshold);
}

fn compare(indexes: &[Index], rows: &[(u64, Vec<f32>)], queries: &[Vec<f32>], threshold: f32) {
    let together: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
    for index in indexes {
        let many = index.search_many(&together, threshold);
        for (query, batch) in queries.iter().zip(many) {
            let expected = brute(rows, query, threshold);
            let alone: Vec<_> = index.search(query, threshold).unwrap().collect();
            assert_eq!(alone, expected, "one by one");
            assert_eq!(batch.collect::<Vec<_>>(), expected, "together");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_path_finds_what_brute_force_finds(
        shape in 0..SHAPES.len(), count in 1_usize..700, dimension in 1_usize..200,
        threshold in prop_oneof![Just(0.85_f32), -1.0_f32..1.0], seed: u64,
    ) {
        check(SHAPES[shape], count, dimension, threshold, seed);
    }
}

#[test]
fn usual_dimensions_and_odd_ones() {
    for (i, dimension) in [8, 255, 256, 384, 767, 1024, 1536, 3072, 4097].into_iter().enumerate() {
        check(SHAPES[i % SHAPES.len()], 200, dimension, 0.6, i as u64);
        check(Shape::CommonMean, 200, dimension, 0.9, i as u64);
    }
}

#[test]
fn a_threshold_at_a_row_own_score_includes_it() {
    let random = &mut StdRng::seed_from_u64(5);
    for shape in SHAPES {
        let rows: Vec<_> =
            draw(shape, 400, 96, random).into_iter().enumerate().map(|(i, row)| (i as u64, row)).collect();
        let query = draw(shape, 1, 96, random).remove(0);
        let index = Index::new(96);
        let ids: Vec<u64> = (0..400).collect();
        index.insert_many(&ids, |i, out| out.copy_from_slice(&rows[i].1));
        for (_, score) in brute(&rows, &query, -1.0).into_iter().step_by(7) {
            let found: Vec<_> = index.search(&query, score).unwrap().collect();
            assert_eq!(found, brute(&rows, &query, score), "{shape:?}");
        }
    }
}

#[test]
fn a_search_sees_every_row_that_was_there_when_it_began() {
    let random = &mut StdRng::seed_from_u64(9);
    let rows = draw(Shape::Clusters, 1500, 48, random);
    let index = Index::new(48);
    let done = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (i, row) in rows.iter().enumerate() {
                index.insert_many(&[i as u64], |_, out| out.copy_from_slice(row));
                done.store(i + 1, Release);
            }
        });
        while done.load(Acquire) < rows.len() {
            let there = done.load(Acquire);
            if there > 0 {
                let last = &rows[there - 1];
                let found: Vec<_> = index.search(last, 0.999).unwrap().collect();
                assert!(found.iter().any(|&(id, _)| id == there as u64 - 1), "row {there}");
            }
        }
    });
}
