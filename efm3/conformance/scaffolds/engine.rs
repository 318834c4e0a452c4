// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//! An EFM3 engine to start from: std alone, double precision.
//!
//!     rustc -O engine.rs
//!     ./engine MODEL INPUT OUTPUT [LAYERS]     exit code 1 where MODEL is refused
//!
//! INPUT is float32 [3, 112, 112], OUTPUT the embedding; the folder LAYERS gets NAME.f32 a layer.
//! Put your own engine in the place of `load` and `forward`.

use std::fs;
use std::path::Path;
use std::process::exit;

const SIDE: usize = 112;

/// Leaves the function with a refusal unless the condition holds.
macro_rules! need {
    ($ok:expr, $($reason:tt)*) => {
        if !$ok {
            return Err(format!($($reason)*));
        }
    };
}

/// A convolution, its BatchNorm, and its PReLU where `act`; square kernels and maps.
#[derive(Default)]
struct Layer {
    name: String,
    cin: usize,
    cout: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
    depthwise: bool,
    act: bool,
    starts_block: bool,
    adds: bool, // the block's input is added to the output
    w: Vec<f64>,
    gamma: Vec<f64>,
    beta: Vec<f64>,
    mean: Vec<f64>,
    var: Vec<f64>,
    slope: Vec<f64>,
}

fn u16_at(data: &[u8], at: usize) -> usize {
    usize::from(data[at]) | usize::from(data[at + 1]) << 8
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]])
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    let value = |v: &[u8]| f32::from_le_bytes([v[0], v[1], v[2], v[3]]);
    bytes.chunks_exact(4).map(|v| f64::from(value(v))).collect()
}

/// The values of the next tensor; `at` moves past it.
fn tensor(data: &[u8], at: &mut usize, count: usize, layer: &str) -> Result<Vec<f64>, String> {
    need!(data.len() - *at >= 4, "T013: the file ends before a size of {}", layer);
    let size = u64::from(u32_at(data, *at));
    need!(size == 4 * count as u64, "T002: {} bytes in {}, not its shape's", size, layer);
    *at += 4;
    need!(size <= (data.len() - *at) as u64, "T012: the file ends inside {}", layer);
    let values = floats(&data[*at..*at + size as usize]);
    *at += size as usize;
    Ok(values)
}

/// The layers of a file's bytes with their values; the JSON mirror is skipped.
fn load(data: &[u8]) -> Result<Vec<Layer>, String> {
    need!(data.len() >= 92, "C004: the file ends inside its first 92 bytes");
    need!(&data[..4] == b"EFM3", "C002: the file does not start with EFM3");
    need!(u32_at(data, 4) == 3, "C003: the version is not 3");
    let mut layers = read_arch(&data[8..88])?;
    let json_len = u32_at(data, 88) as usize;
    need!(json_len <= 1 << 20, "C005: json_len is over 1 MiB");
    need!(json_len <= data.len() - 92, "C006: the mirror reaches past the end of the file");
    let mut at = 92 + json_len;
    need!(data.len() - at >= 4, "C007: the file ends before the whole tensor count");
    let count: u32 = layers.iter().map(|l| if l.act { 6 } else { 5 }).sum();
    need!(u32_at(data, at) == count, "T001: the layout has {} tensors", count);
    at += 4;
    for l in &mut layers {
        let per_filter = if l.depthwise { 1 } else { l.cin } * l.kernel * l.kernel;
        l.w = tensor(data, &mut at, l.cout * per_filter, &l.name)?;
        l.gamma = tensor(data, &mut at, l.cout, &l.name)?;
        l.beta = tensor(data, &mut at, l.cout, &l.name)?;
        l.mean = tensor(data, &mut at, l.cout, &l.name)?;
        l.var = tensor(data, &mut at, l.cout, &l.name)?;
        if l.act {
            l.slope = tensor(data, &mut at, l.cout, &l.name)?;
        }
    }
    need!(at == data.len(), "T014: bytes follow the last tensor");
    Ok(layers)
}

/// The 80 bytes of the arch header as layers in order of execution.
fn read_arch(h: &[u8]) -> Result<Vec<Layer>, String> {
    let (n_stages, stem_kernel, stem_stride) = (h[1] as usize, h[2] as usize, h[3] as usize);
    let (stem, other) = (u16_at(h, 4), u16_at(h, 6));
    let (last, dim, gdc_kernel) = (u16_at(h, 8), u16_at(h, 10), h[12] as usize);
    need!(h[0] == 1, "H001: hdr_version is not 1");
    need!(h[13..16] == [0, 0, 0], "H002: a pad byte is not zero");
    need!(n_stages >= 1 && n_stages <= 8, "H003: n_stages is not 1..8");
    need!(stem_kernel % 2 == 1 && stem_kernel <= 15, "H004: stem_kernel is not odd, 1..15");
    need!(stem_stride >= 1 && stem_stride <= 4, "H005: stem_stride is not 1..4");
    need!(stem >= 1, "H006: stem_channels is 0");
    need!(other >= 1, "H007: block_channels is 0");
    need!(last >= 1, "H008: final_channels is 0");
    need!(dim >= 1, "H009: embedding_dim is 0");
    let mut stages = Vec::new();
    let mut side = (SIDE + 2 * (stem_kernel / 2) - stem_kernel) / stem_stride + 1;
    for (i, r) in h[16..].chunks(8).enumerate() {
        if i >= n_stages {
            need!(r.iter().all(|&byte| byte == 0), "H018: an unused stage record is not zero");
            continue;
        }
        let (t, n, s) = (r[0] as usize, r[1] as usize, r[2] as usize);
        need!(t >= 1, "H011: stage {} has t = 0", i + 1);
        need!(n >= 1, "H012: stage {} has n = 0", i + 1);
        need!(s >= 1 && s <= 4, "H013: stage {} has a stride outside 1..4", i + 1);
        need!(r[3..].iter().all(|&byte| byte == 0), "H017: stage {} has a pad not zero", i + 1);
        side = (side - 1) / s + 1;
        stages.push((t, n, s));
    }
    let blocks: usize = stages.iter().map(|stage| stage.1).sum();
    need!(blocks <= 256, "H014: more than 256 blocks");
    need!(gdc_kernel == side, "H016: gdc_kernel is not {}, the last map's side", side);

    let pointwise = |name: String, cin, cout, act| {
        Layer { name, cin, cout, kernel: 1, stride: 1, act, ..Layer::default() }
    };
    let depthwise = |name: String, c, kernel, stride, pad, act| Layer {
        name,
        cin: c,
        cout: c,
        kernel,
        stride,
        pad,
        depthwise: true,
        act,
        ..Layer::default()
    };
    let mut layers = Vec::new();
    let mut c = stem;
    layers.push(Layer {
        kernel: stem_kernel,
        stride: stem_stride,
        pad: stem_kernel / 2,
        ..pointwise("stem".into(), 3, c, true)
    });
    layers.push(depthwise("dw_stem".into(), c, 3, 1, 1, true));
    for (i, &(t, n, s)) in stages.iter().enumerate() {
        let out = if i == 0 { stem } else { other };
        for j in 0..n {
            let block = format!("stage{}.block{}", i + 1, j);
            let stride = if j == 0 { s } else { 1 };
            let wide = c * t;
            need!(wide <= 65535, "H015: stage {} expands to {} channels", i + 1, wide);
            let expand = pointwise(format!("{}.expand", block), c, wide, true);
            layers.push(Layer { starts_block: true, ..expand });
            layers.push(depthwise(format!("{}.dw", block), wide, 3, stride, 1, true));
            let project = pointwise(format!("{}.project", block), wide, out, false);
            layers.push(Layer { adds: stride == 1 && c == out, ..project });
            c = out;
        }
    }
    layers.push(pointwise("final_conv".into(), c, last, true));
    layers.push(depthwise("gdconv".into(), last, gdc_kernel, 1, 0, false));
    layers.push(pointwise("embed_proj".into(), last, dim, false));
    Ok(layers)
}

/// Adds w * plane, shifted by tap (i, j) of the kernel, to `sum`; outside the plane is zero.
fn tap(l: &Layer, sum: &mut [f64], side: usize, plane: &[f64], in_side: usize, i: usize, j: usize,
       w: f64) {
    for y in 0..side {
        let iy = y * l.stride + i;
        if iy < l.pad || iy - l.pad >= in_side {
            continue;
        }
        let row = &plane[(iy - l.pad) * in_side..][..in_side];
        for x in 0..side {
            let ix = x * l.stride + j;
            if ix >= l.pad && ix - l.pad < in_side {
                sum[y * side + x] += w * row[ix - l.pad];
            }
        }
    }
}

/// A layer's output [cout, side, side] for x [cin, in_side, in_side], BatchNorm folded in.
fn apply(l: &Layer, x: &[f64], in_side: usize, side: usize, block_input: &[f64]) -> Vec<f64> {
    let (area, in_area, taps) = (side * side, in_side * in_side, l.kernel * l.kernel);
    let per_group = if l.depthwise { 1 } else { l.cin };
    let mut y = vec![0.0; l.cout * area];
    for (o, sum) in y.chunks_mut(area).enumerate() {
        let scale = l.gamma[o] / (l.var[o] + 1e-5).sqrt();
        let bias = l.beta[o] - l.mean[o] * scale;
        sum.iter_mut().for_each(|v| *v = bias);
        for c in 0..per_group {
            let plane = &x[if l.depthwise { o } else { c } * in_area..][..in_area];
            let filter = &l.w[(o * per_group + c) * taps..][..taps];
            if l.kernel == 1 && l.stride == 1 {
                let w = filter[0] * scale;
                sum.iter_mut().zip(plane).for_each(|(v, p)| *v += w * p);
                continue;
            }
            for (k, w) in filter.iter().enumerate() {
                tap(l, sum, side, plane, in_side, k / l.kernel, k % l.kernel, w * scale);
            }
        }
        for (p, v) in sum.iter_mut().enumerate() {
            if l.act && !(*v > 0.0) {
                *v *= l.slope[o];
            }
            if l.adds {
                *v += block_input[o * area + p];
            }
        }
    }
    y
}

/// The embedding, of length 1, of x [3, 112, 112]; `watch` gets each layer's name and output.
fn forward(layers: &[Layer], input: Vec<f64>, watch: &dyn Fn(&str, &[f64])) -> Vec<f64> {
    let (mut x, mut side, mut block_input) = (input, SIDE, Vec::new());
    for l in layers {
        let out_side = (side + 2 * l.pad - l.kernel) / l.stride + 1;
        let y = apply(l, &x, side, out_side, &block_input);
        if l.starts_block {
            block_input = x;
        }
        x = y;
        side = out_side;
        watch(&l.name, &x);
    }
    let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
    let norm = if norm < 1e-12 { 1e-12 } else { norm }; // NaN stays NaN
    x.iter().map(|v| v / norm).collect()
}

fn save(path: &Path, values: &[f64]) {
    let bytes: Vec<u8> = values.iter().flat_map(|&v| (v as f32).to_le_bytes().to_vec()).collect();
    fs::write(path, bytes).expect("the output can be written"); // a panic ends with 101
}

fn main() {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if args.len() < 3 {
        eprintln!("usage: engine MODEL INPUT OUTPUT [LAYERS]");
        exit(70);
    }
    let layers = load(&fs::read(&args[0]).expect("the model can be read")).unwrap_or_else(|e| {
        eprintln!("{}", e);
        exit(1) // refused
    });
    let input = fs::read(&args[1]).expect("the input can be read");
    assert_eq!(input.len(), 4 * 3 * SIDE * SIDE, "the input is not 3 x 112 x 112 float32");
    let embedding = forward(&layers, floats(&input), &|name, y| {
        if let Some(folder) = args.get(3) {
            save(&Path::new(folder).join(format!("{}.f32", name)), y);
        }
    });
    save(Path::new(&args[2]), &embedding);
}
