//! Every path against plain Rust, function by function and to the bit, and plain Rust against what it stands for.

use super::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Around the widths of registers, of the sums kept side by side, and what embedders give.
const LENGTHS: [usize; 16] = [0, 1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 127, 192, 385, 1024, 1536];

/// Floats that show another order of additions, or a product that was not rounded.
fn floats(length: usize, random: &mut StdRng) -> Vec<Vec<f32>> {
    let mut draw =
        |next: &mut dyn FnMut(&mut StdRng) -> f32| -> Vec<f32> { (0..length).map(|_| next(random)).collect() };
    vec![
        draw(&mut |random| random.random_range(-1.0..1.0)),
        draw(&mut |random| random.random_range(-1.0_f32..1.0) * 2.0_f32.powi(random.random_range(-40..40))),
        // Halves, between two bytes, and factors whose products lie halfway between two floats.
        draw(&mut |random| f32::from(random.random_range(-254_i16..=254)) * 0.5),
        draw(&mut |random| f32::from(random.random_range(-4_i16..=4)) * 2.0_f32.powi(-12) + 1.0),
        // Too small for all their bits, and zeros of either sign.
        draw(&mut |random| f32::from_bits(random.random_range(0..1 << 20))),
        draw(&mut |random| if random.random() { 0.0 } else { -0.0 }),
    ]
}

fn bits(floats: &[f32]) -> Vec<u32> {
    floats.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn floats_are_equal_to_the_bit() {
    let random = &mut StdRng::seed_from_u64(1);
    for length in LENGTHS {
        let vectors = floats(length, random);
        for (a, b) in vectors.iter().flat_map(|a| vectors.iter().map(move |b| (a, b))) {
            for path in Path::available() {
                assert_eq!(dot(path, a, b).to_bits(), portable::dot(a, b).to_bits(), "{path:?} {a:?} {b:?}");
                let (mut ours, mut expected) = (a.clone(), a.clone());
                subtract(path, &mut ours, b, 1.0 + f32::EPSILON);
                portable::subtract(&mut expected, b, 1.0 + f32::EPSILON);
                assert_eq!(bits(&ours), bits(&expected), "{path:?} {a:?} {b:?}");
                flip(path, &mut ours, b);
                portable::flip(&mut expected, b);
                assert_eq!(bits(&ours), bits(&expected), "{path:?} {a:?} {b:?}");
            }
        }
        for (a, path) in vectors.iter().flat_map(|a| Path::available().into_iter().map(move |path| (a, path))) {
            assert_eq!(absolute_sum(path, a).to_bits(), portable::absolute_sum(a).to_bits(), "{path:?} {a:?}");
            assert_eq!(largest(path, a).to_bits(), portable::largest(a).to_bits(), "{path:?} {a:?}");
            let (mut ours, mut expected) = (a.clone(), a.clone());
            let width = (1 << length.max(1).ilog2()).min(length);
            mix(path, &mut ours[..width], &mut vec![0.0; width]);
            portable::mix(&mut expected[..width], &mut vec![0.0; width]);
            assert_eq!(bits(&ours), bits(&expected), "{path:?} {a:?}");
        }
    }
}

#[test]
fn products_are_rounded_before_they_are_added() {
    // The square of 1 + 2^-12 is 1 + 2^-11 and half of its last bit, a tie that goes down: an addition that is fused
    // with the product would see the half.
    let x = 1.0 + 2.0_f32.powi(-12);
    let square = 1.0 + 2.0_f32.powi(-11);
    let mut a = vec![-square; 2 * LANES];
    let mut b = vec![1.0; 2 * LANES];
    a[LANES..].fill(x);
    b[LANES..].fill(x);
    // The same times 4096, in sums and columns, which are whole.
    let (one, minus, large) = (&[1; ROWS], &[-1; ROWS], &[4097; ROWS]);
    let in_offset = Product { sums: &[4097; ROWS], slope: x, offset: -4096.0 * square, column: minus };
    let in_bound = Product { sums: &[0; ROWS], slope: 0.0, offset: -x, column: large };
    for path in Path::available() {
        assert_eq!(dot(path, &a, &b).to_bits(), 0, "{path:?}");
        let mut rest = vec![square; LANES];
        subtract(path, &mut rest, &[x; LANES], x);
        assert_eq!(rest, [0.0; LANES], "{path:?}");
        let start = (4096.0 * square, one);
        assert_eq!(survivors(path, &[start, (-x, large)], &[], 0.0), u64::MAX, "{path:?}");
        assert_eq!(survivors(path, &[start], &[in_bound], 0.0), u64::MAX, "{path:?}");
        assert_eq!(survivors(path, &[], &[in_offset], 0.0), u64::MAX, "{path:?}");
    }
}

#[test]
fn bytes_are_the_nearest_steps_and_ties_go_to_even() {
    let random = &mut StdRng::seed_from_u64(2);
    for length in LENGTHS {
        for vector in floats(length, random) {
            let step = portable::largest(&vector).max(f32::MIN_POSITIVE * 256.0) / 127.0;
            for (path, step) in Path::available().into_iter().flat_map(|path| [(path, step), (path, step.max(1.0))]) {
                let mut codes = vec![0; length];
                quantize(path, &vector, step.recip(), &mut codes);
                let nearest: Vec<i8> = vector.iter().map(|x| (x * step.recip()).round_ties_even() as i8).collect();
                assert_eq!(codes, nearest, "{path:?} {step} {vector:?}");
                let (ours, expected) = (
                    quantization_error(path, &vector, step, &codes),
                    portable::quantization_error(&vector, step, &codes),
                );
                assert_eq!(bits(&[ours.0, ours.1]), bits(&[expected.0, expected.1]), "{path:?} {step} {vector:?}");
            }
        }
    }
}

#[test]
fn products_of_bytes_are_exact() {
    let random = &mut StdRng::seed_from_u64(3);
    for length in [0, 64, 128, 192, 1536, 4160, crate::cache::vector::MAX_DIMENSION] {
        let mut draw =
            |codes: &[i8]| -> Vec<i8> { (0..length).map(|_| codes[random.random_range(0..codes.len())]).collect() };
        let all: Vec<i8> = (-127..=127).collect();
        let vectors = [draw(&[127]), draw(&[-127]), draw(&[-127, 127]), draw(&[0, 1, -1]), draw(&all)];
        for (row, query) in vectors.iter().flat_map(|row| vectors.iter().map(move |query| (row, query))) {
            let expected: i64 = row.iter().zip(query).map(|(&x, &y)| i64::from(x) * i64::from(y)).sum();
            let sum = row.iter().map(|&x| i32::from(x)).sum();
            for path in Path::available() {
                let ours = ByteQuery::new(query.clone()).dot(path, row, sum);
                assert_eq!(i64::from(ours), expected, "{path:?} {length}");
            }
        }
    }
}

#[test]
fn tables_are_equal_on_every_path() {
    let random = &mut StdRng::seed_from_u64(4);
    for length in LENGTHS {
        for vector in floats(length, random) {
            for most in [127.0, 126.0, 3.0] {
                let tables_of = |of: &dyn Fn(&mut [ByteLine]) -> f32| {
                    let mut out = vec![ByteLine::default(); length / GROUP];
                    let step = of(&mut out);
                    (step.to_bits(), out.iter().map(|line| line.0).collect::<Vec<_>>())
                };
                let expected = tables_of(&|out| portable::tables(&vector, most, out));
                for path in Path::available() {
                    let ours = tables_of(&|out| tables(path, &vector, most, out));
                    assert_eq!(ours, expected, "{path:?} {most} {vector:?}");
                }
            }
        }
    }
}

/// Dimensions of 64 rows, and the codes that say them.
fn draw_codes(chunks: usize, random: &mut StdRng) -> (Vec<[u32; ROWS]>, Vec<ByteLine>) {
    let mut lines = vec![ByteLine::default(); chunks * CHUNK_LINES];
    let rows: Vec<[u32; ROWS]> =
        (0..chunks).map(|_| std::array::from_fn(|_| random.random_range(0..1 << 24))).collect();
    for (rows, lines) in rows.iter().zip(lines.as_chunks_mut::<CHUNK_LINES>().0) {
        for (row, &dimensions) in rows.iter().enumerate() {
            for (line, byte) in lines.iter_mut().zip(pack(dimensions)) {
                line.0[place_of(row)] = byte;
            }
        }
    }
    (rows, lines)
}

#[test]
fn scans_sum_the_entries_that_the_bits_name() {
    let random = &mut StdRng::seed_from_u64(5);
    for chunks in [0, 1, 2, 3, 43, 129, 1000] {
        let (rows, codes) = draw_codes(chunks, random);
        let (_, ahead) = draw_codes(chunks, random);
        // The most that sixteen bits can sum.
        let most = (65_535 / (4 * chunks).max(1)).min(127) as u8;
        let least = [0, 0, most / 2, most];
        let tables = least.map(|least| -> Vec<ByteLine> {
            (0..4 * chunks).map(|_| ByteLine(std::array::from_fn(|_| random.random_range(least..=most)))).collect()
        });
        let expected = tables.each_ref().map(|tables| {
            let mut sums = [0_u16; ROWS];
            for (n, table) in tables.iter().enumerate() {
                for (sum, dimensions) in sums.iter_mut().zip(rows[n / 4]) {
                    *sum += u16::from(table.0[(dimensions >> (n % 4 * GROUP) & 63) as usize]);
                }
            }
            sums
        });
        for path in Path::available() {
            for (tables, expected) in tables.iter().zip(&expected) {
                for ahead in [&[][..], &ahead] {
                    let mut sums = [7; ROWS];
                    scan(path, &codes, ahead, tables, &mut sums);
                    assert_eq!(sums, *expected, "{path:?} {chunks}");
                }
            }
            let mut sums = [[7; ROWS]; SHARED];
            scan_shared(path, &codes, tables.each_ref().map(Vec::as_slice), sums.each_mut());
            assert_eq!(sums, expected, "{path:?} {chunks}");
        }
    }
}

#[test]
fn survivors_are_the_rows_whose_bound_is_no_less() {
    let random = &mut StdRng::seed_from_u64(6);
    for turn in 0..64 {
        let columns: [[i16; ROWS]; 6] = std::array::from_fn(|_| {
            std::array::from_fn(|_| {
                if turn % 8 == 0 { [i16::MIN, 0, i16::MAX][random.random_range(0..3)] } else { random.random() }
            })
        });
        let sums: [[u16; ROWS]; 3] =
            std::array::from_fn(|_| std::array::from_fn(|_| if turn % 8 == 1 { u16::MAX } else { random.random() }));
        let mut factor = || random.random_range(-1.0_f32..1.0) / 32_767.0;
        let linear: Vec<_> = columns[..turn % 4].iter().map(|column| (factor(), column)).collect();
        let products: Vec<_> = sums[..turn / 4 % 4]
            .iter()
            .zip(&columns[3..])
            .map(|(sums, column)| Product { sums, slope: factor() / 100.0, offset: factor(), column })
            .collect();
        let bounds: [f32; ROWS] = std::array::from_fn(|row| {
            let bound = linear.iter().fold(0.0, |bound, (factor, column)| bound + factor * f32::from(column[row]));
            products.iter().fold(bound, |bound, product| {
                let scaled = f32::from(product.sums[row]) * product.slope;
                bound + (scaled + product.offset) * f32::from(product.column[row])
            })
        });
        let around = bounds.iter().flat_map(|bound| [bound.next_down(), *bound, bound.next_up()]);
        for least in around.chain([f32::NEG_INFINITY, f32::INFINITY, f32::NAN]) {
            let expected = (0..ROWS).fold(0_u64, |mask, row| mask | u64::from(bounds[row] >= least) << row);
            for path in Path::available() {
                assert_eq!(survivors(path, &linear, &products, least), expected, "{path:?} {least}");
            }
        }
    }
}
