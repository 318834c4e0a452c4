// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//! An EFM3 reader to start from: std alone, level `structure`; it does not parse the JSON mirror.
//!
//!     rustc -O reader.rs
//!     ./reader FILE     prints the document; exit code 1 where FILE is refused
//!     ./reader          the same for standard input
//!
//! Put your own reader in the place of `read` and `read_arch`.

use std::io::{Read, Write};
use std::process::exit;

/// Leaves the function with a refusal unless the condition holds.
macro_rules! need {
    ($ok:expr, $($reason:tt)*) => {
        if !$ok {
            return Err(format!($($reason)*));
        }
    };
}

struct Stage {
    t: u32,
    n: u32,
    s: u32,
}

struct Arch {
    stem_kernel: u32,
    stem_stride: u32,
    stem_channels: u32,
    block_channels: u32,
    final_channels: u32,
    embedding_dim: u32,
    gdc_kernel: u32,
    stages: Vec<Stage>,
}

struct Tensor {
    name: String,
    shape: Vec<u32>,
    offset: usize,
    size: usize,
}

struct File {
    arch: Arch,
    json_len: usize,
    tensors: Vec<Tensor>,
}

fn u16_at(data: &[u8], at: usize) -> u32 {
    u32::from(data[at]) | u32::from(data[at + 1]) << 8
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    u16_at(data, at) | u16_at(data, at + 2) << 16
}

/// What stands in a file; every length is compared with what remains before it is used.
fn read(data: &[u8]) -> Result<File, String> {
    need!(data.len() >= 92, "C004: the file ends inside its first 92 bytes");
    need!(&data[..4] == b"EFM3", "C002: the file does not start with EFM3");
    need!(u32_at(data, 4) == 3, "C003: the version is not 3");
    let arch = read_arch(&data[8..88])?;
    let layout = tensor_layout(&arch)?;
    let json_len = u32_at(data, 88) as usize;
    need!(json_len <= 1 << 20, "C005: json_len is over 1 MiB");
    need!(json_len <= data.len() - 92, "C006: the mirror reaches past the end of the file");
    let mut at = 92 + json_len;
    need!(data.len() - at >= 4, "C007: the file ends before the whole tensor count");
    let count = u32_at(data, at) as usize;
    need!(count == layout.len(), "T001: {} tensors, the layout has {}", count, layout.len());
    at += 4;
    let mut tensors = Vec::new();
    for (name, shape) in layout {
        need!(data.len() - at >= 4, "T013: the file ends before the size of {}", name);
        let size = u64::from(u32_at(data, at));
        let values: u64 = shape.iter().map(|&n| u64::from(n)).product();
        need!(size == 4 * values, "T002: {} has {} bytes, not its shape's", name, size);
        at += 4;
        need!(size <= (data.len() - at) as u64, "T012: the file ends inside {}", name);
        let size = size as usize;
        tensors.push(Tensor { name, shape, offset: at, size });
        at += size;
    }
    need!(at == data.len(), "T014: {} bytes follow the last tensor", data.len() - at);
    Ok(File { arch, json_len, tensors })
}

/// The 80 bytes of the arch header.
fn read_arch(h: &[u8]) -> Result<Arch, String> {
    let n_stages = h[1] as usize;
    let mut a = Arch {
        stem_kernel: h[2].into(),
        stem_stride: h[3].into(),
        stem_channels: u16_at(h, 4),
        block_channels: u16_at(h, 6),
        final_channels: u16_at(h, 8),
        embedding_dim: u16_at(h, 10),
        gdc_kernel: h[12].into(),
        stages: Vec::new(),
    };
    need!(h[0] == 1, "H001: hdr_version is not 1");
    need!(h[13..16] == [0, 0, 0], "H002: a pad byte is not zero");
    need!(n_stages >= 1 && n_stages <= 8, "H003: n_stages is not 1..8");
    need!(a.stem_kernel % 2 == 1 && a.stem_kernel <= 15, "H004: stem_kernel is not odd, 1..15");
    need!(a.stem_stride >= 1 && a.stem_stride <= 4, "H005: stem_stride is not 1..4");
    need!(a.stem_channels >= 1, "H006: stem_channels is 0");
    need!(a.block_channels >= 1, "H007: block_channels is 0");
    need!(a.final_channels >= 1, "H008: final_channels is 0");
    need!(a.embedding_dim >= 1, "H009: embedding_dim is 0");
    for (i, r) in h[16..].chunks(8).enumerate() {
        if i >= n_stages {
            need!(r.iter().all(|&byte| byte == 0), "H018: an unused stage record is not zero");
            continue;
        }
        need!(r[0] >= 1, "H011: stage {} has t = 0", i + 1);
        need!(r[1] >= 1, "H012: stage {} has n = 0", i + 1);
        need!(r[2] >= 1 && r[2] <= 4, "H013: stage {} has a stride outside 1..4", i + 1);
        need!(r[3..].iter().all(|&byte| byte == 0), "H017: stage {} has a pad not zero", i + 1);
        a.stages.push(Stage { t: r[0].into(), n: r[1].into(), s: r[2].into() });
    }
    let blocks: u32 = a.stages.iter().map(|stage| stage.n).sum();
    need!(blocks <= 256, "H014: more than 256 blocks");
    let mut side = (112 + 2 * (a.stem_kernel / 2) - a.stem_kernel) / a.stem_stride + 1;
    for stage in &a.stages {
        side = (side - 1) / stage.s + 1;
    }
    need!(a.gdc_kernel == side, "H016: gdc_kernel is not {}, the last map's side", side);
    Ok(a)
}

type Layout = Vec<(String, Vec<u32>)>;

/// Name and shape of every tensor, in stored order.
fn tensor_layout(a: &Arch) -> Result<Layout, String> {
    fn layer(to: &mut Layout, name: String, out: u32, per_group: u32, kernel: u32, act: bool) {
        to.push((format!("{}.conv.w", name), vec![out, per_group, kernel, kernel]));
        to.push((format!("{}.bn.w", name), vec![out]));
        to.push((format!("{}.bn.b", name), vec![out]));
        to.push((format!("{}.bn.mean", name), vec![out]));
        to.push((format!("{}.bn.var", name), vec![out]));
        if act {
            to.push((format!("{}.act.w", name), vec![out]));
        }
    }
    let mut to = Vec::new();
    let mut c = a.stem_channels;
    layer(&mut to, "stem".into(), c, 3, a.stem_kernel, true);
    layer(&mut to, "dw_stem".into(), c, 1, 3, true);
    for (i, stage) in a.stages.iter().enumerate() {
        let out = if i == 0 { a.stem_channels } else { a.block_channels };
        for j in 0..stage.n {
            let block = format!("stage{}.block{}", i + 1, j);
            let wide = c * stage.t;
            need!(wide <= 65535, "H015: stage {} expands to {} channels", i + 1, wide);
            layer(&mut to, format!("{}.expand", block), wide, c, 1, true);
            layer(&mut to, format!("{}.dw", block), wide, 1, 3, true);
            layer(&mut to, format!("{}.project", block), out, wide, 1, false);
            c = out;
        }
    }
    layer(&mut to, "final_conv".into(), a.final_channels, c, 1, true);
    layer(&mut to, "gdconv".into(), a.final_channels, 1, a.gdc_kernel, false);
    layer(&mut to, "embed_proj".into(), a.embedding_dim, a.final_channels, 1, false);
    Ok(to)
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut table = [0u32; 256];
    for i in 0..256 {
        let mut c = i as u32;
        for _ in 0..8 {
            c = if c & 1 == 1 { 0xEDB8_8320 ^ c >> 1 } else { c >> 1 };
        }
        table[i] = c;
    }
    let step = |crc: u32, &byte: &u8| table[((crc ^ u32::from(byte)) & 255) as usize] ^ crc >> 8;
    !bytes.iter().fold(!0, step)
}

/// A tagged leaf as JSON.
fn tag(kind: &str, value: impl std::fmt::Display) -> String {
    format!("{{\"type\":\"{}\",\"value\":\"{}\"}}", kind, value)
}

fn object(members: &[(&str, String)]) -> String {
    let inner: Vec<String> = members.iter().map(|(k, v)| format!("\"{}\":{}", k, v)).collect();
    format!("{{{}}}", inner.join(","))
}

fn array(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(","))
}

fn document(file: &File, data: &[u8]) -> String {
    let a = &file.arch;
    let bits = |at: usize| tag("f32", format!("{:08x}", u32_at(data, at)));
    let crc = |part: &[u8]| tag("crc32", format!("{:08x}", crc32(part)));
    let stages = array(a.stages.iter().map(|stage| {
        object(&[("t", tag("u8", stage.t)), ("n", tag("u8", stage.n)), ("s", tag("u8", stage.s))])
    }));
    let tensors = array(file.tensors.iter().map(|t| {
        object(&[
            ("name", tag("string", &t.name)),
            ("shape", array(t.shape.iter().map(|n| tag("u32", n)))),
            ("offset", tag("u64", t.offset)),
            ("first", bits(t.offset)),
            ("last", bits(t.offset + t.size - 4)),
            ("crc32", crc(&data[t.offset..t.offset + t.size])),
        ])
    }));
    let arch = object(&[
        ("hdr_version", tag("u8", 1)),
        ("n_stages", tag("u8", a.stages.len())),
        ("stem_kernel", tag("u8", a.stem_kernel)),
        ("stem_stride", tag("u8", a.stem_stride)),
        ("stem_channels", tag("u16", a.stem_channels)),
        ("block_channels", tag("u16", a.block_channels)),
        ("final_channels", tag("u16", a.final_channels)),
        ("embedding_dim", tag("u16", a.embedding_dim)),
        ("gdc_kernel", tag("u8", a.gdc_kernel)),
        ("stages", stages),
    ]);
    let mirror = object(&[
        ("offset", tag("u32", 92)),
        ("length", tag("u32", file.json_len)),
        ("crc32", crc(&data[92..92 + file.json_len])),
    ]);
    object(&[
        ("version", tag("u32", 3)),
        ("arch", arch),
        ("mirror", mirror),
        ("tensors", tensors),
    ])
}

fn broken(what: impl std::fmt::Display) -> ! {
    eprintln!("{}", what);
    exit(70)
}

fn main() {
    if std::env::var("EFM3_LEVEL").map_or(false, |level| level != "structure") {
        broken("this reader knows level structure alone");
    }
    let mut data = Vec::new();
    let got = match std::env::args_os().nth(1) {
        Some(path) => std::fs::File::open(path).and_then(|mut f| f.read_to_end(&mut data)),
        None => std::io::stdin().read_to_end(&mut data),
    };
    if let Err(e) = got {
        broken(e);
    }
    match read(&data) {
        Ok(file) => {
            if let Err(e) = writeln!(std::io::stdout(), "{}", document(&file, &data)) {
                broken(e);
            }
        }
        Err(reason) => {
            eprintln!("{}", reason);
            exit(1); // refused; a panic ends with 101
        }
    }
}
