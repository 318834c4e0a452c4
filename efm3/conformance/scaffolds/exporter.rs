// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//! An EFM3 exporter to start from: std alone.
//!
//!     rustc -O exporter.rs
//!     ./exporter ARCH.json TENSORS_FOLDER OUT.bin     exit code 1: refused, nothing is written
//!
//! Put your own source of weights in the place of `read_npy`.

use std::fs;
use std::path::Path;
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

/// `name` and `width_mult` are JSON texts in canonical spelling.
struct Arch {
    name: String,
    width_mult: String,
    stem_kernel: u32,
    stem_stride: u32,
    stem_channels: u32,
    block_channels: u32,
    final_channels: u32,
    embedding_dim: u32,
    gdc_kernel: u32,
    stages: Vec<Stage>,
}

type Layout = Vec<(String, Vec<u32>)>;

/// Refuses what no engine could run.
fn check(a: &Arch) -> Result<(), String> {
    need!(a.stages.len() >= 1 && a.stages.len() <= 8, "there are not 1..8 stages");
    need!(a.stem_kernel % 2 == 1, "stem_kernel is even");
    let blocks: u32 = a.stages.iter().map(|stage| stage.n).sum();
    need!(blocks <= 256, "there are more than 256 blocks");
    let mut side = (112 - 1) / a.stem_stride + 1;
    for stage in &a.stages {
        side = (side - 1) / stage.s + 1;
    }
    need!(a.gdc_kernel == side, "gdc_kernel is not {}, the last map's side", side);
    Ok(())
}

/// Name and shape of every tensor, in stored order.
fn tensor_layout(a: &Arch) -> Result<Layout, String> {
    fn layer(to: &mut Layout, name: String, out: u32, per_group: u32, kernel: u32, act: bool) {
        to.push((format!("{}.conv.w", name), vec![out, per_group, kernel, kernel]));
        let parts = ["bn.w", "bn.b", "bn.mean", "bn.var", "act.w"];
        for part in &parts[..if act { 5 } else { 4 }] {
            to.push((format!("{}.{}", name, part), vec![out]));
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
            need!(wide <= 65535, "stage {} expands to {} channels", i + 1, wide);
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

/// The mirror's text: compact ASCII JSON, keys in order.
fn mirror(a: &Arch) -> String {
    let stages: Vec<String> = a
        .stages
        .iter()
        .map(|s| format!("{{\"t\":{},\"n\":{},\"s\":{}}}", s.t, s.n, s.s))
        .collect();
    format!(
        "{{\"name\":{},\"width_mult\":{},\"stem_channels\":{},\"block_channels\":{},\
         \"final_channels\":{},\"embedding_dim\":{},\"gdc_kernel\":{},\"stages\":[{}]}}",
        a.name,
        a.width_mult,
        a.stem_channels,
        a.block_channels,
        a.final_channels,
        a.embedding_dim,
        a.gdc_kernel,
        stages.join(",")
    )
}

/// The file's bytes; `tensor` gives the payload for a name and a shape.
fn write<F>(a: &Arch, mut tensor: F) -> Result<Vec<u8>, String>
where
    F: FnMut(&str, &[u32]) -> Result<Vec<u8>, String>,
{
    check(a)?;
    let text = mirror(a);
    need!(text.len() <= 1 << 20, "the mirror is over 1 MiB");
    let layout = tensor_layout(a)?;
    let mut out = Vec::new();
    out.extend(b"EFM3");
    out.extend(&3u32.to_le_bytes());
    out.extend(&[1, a.stages.len() as u8, a.stem_kernel as u8, a.stem_stride as u8]);
    for channels in &[a.stem_channels, a.block_channels, a.final_channels, a.embedding_dim] {
        out.extend(&(*channels as u16).to_le_bytes());
    }
    out.extend(&[a.gdc_kernel as u8, 0, 0, 0]);
    for stage in &a.stages {
        out.extend(&[stage.t as u8, stage.n as u8, stage.s as u8, 0, 0, 0, 0, 0]);
    }
    out.resize(88, 0);
    out.extend(&(text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
    out.extend(&(layout.len() as u32).to_le_bytes());
    for (name, shape) in &layout {
        let payload = tensor(name, shape)?;
        out.extend(&(payload.len() as u32).to_le_bytes());
        out.extend(payload);
    }
    Ok(out)
}

/// The payload of FOLDER/NAME.npy, NPY format 1.0.
fn read_npy(folder: &Path, name: &str, shape: &[u32]) -> Result<Vec<u8>, String> {
    let npy = fs::read(folder.join(format!("{}.npy", name)))
        .map_err(|e| format!("{} is missing: {}", name, e))?;
    need!(npy.len() >= 10 && &npy[..8] == b"\x93NUMPY\x01\x00", "{} is not NPY 1.0", name);
    let start = 10 + usize::from(npy[8]) + 256 * usize::from(npy[9]);
    need!(start <= npy.len(), "{} is cut", name);
    let header = String::from_utf8_lossy(&npy[10..start]).into_owned();
    let shown: Vec<String> = shape.iter().map(u32::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let shown = format!("({}{})", shown.join(", "), comma);
    need!(header.contains("'descr': '<f4'"), "{} is not float32 little-endian", name);
    need!(header.contains("'fortran_order': False"), "{} is not in C order", name);
    need!(header.contains(&shown), "{} has not the shape {}", name, shown);
    let values: u64 = shape.iter().map(|&n| u64::from(n)).product();
    let payload = &npy[start..];
    need!(payload.len() as u64 == 4 * values, "{} has not as many bytes as its shape says", name);
    for v in payload.chunks(4) {
        let finite = f32::from_le_bytes([v[0], v[1], v[2], v[3]]).is_finite();
        need!(finite, "{} holds NaN or infinity", name);
    }
    Ok(payload.to_vec())
}

const SPACE: &[char] = &[' ', '\t', '\r', '\n'];

/// What follows a key of the outermost object and its colon.
fn value_of<'a>(json: &'a str, key: &str) -> Result<&'a str, String> {
    let (mut depth, mut start, mut escaped) = (0, None, false);
    for (at, byte) in json.bytes().enumerate() {
        match (start, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(from), b'"') => {
                let rest = json[at + 1..].trim_start_matches(SPACE);
                if depth == 1 && json[from..at] == *key && rest.starts_with(':') {
                    return Ok(rest[1..].trim_start_matches(SPACE));
                }
                start = None;
            }
            (None, b'"') => start = Some(at + 1),
            (None, b'{') | (None, b'[') => depth += 1,
            (None, b'}') | (None, b']') => depth -= 1,
            _ => {}
        }
    }
    Err(format!("{} is missing", key))
}

/// The token at the start of `rest`: it must be followed by white space, a comma or a bracket.
fn token(rest: &str) -> &str {
    let end = |c: char| SPACE.contains(&c) || c == ',' || c == '}' || c == ']';
    &rest[..rest.find(end).unwrap_or(0)]
}

fn integer(json: &str, key: &str, most: u32) -> Result<u32, String> {
    let word = token(value_of(json, key)?);
    let plain = word.bytes().all(|b| b.is_ascii_digit()) && !word.starts_with('0');
    match word.parse::<u32>() {
        Ok(v) if plain && v <= most => Ok(v),
        _ => Err(format!("{} is not 1..{}", key, most)),
    }
}

/// A number above zero in its canonical spelling.
fn width(json: &str) -> Result<String, String> {
    let word = token(value_of(json, "width_mult")?);
    let is_number = word.starts_with(|c: char| c.is_ascii_digit())
        && word.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    let v: f64 = word.parse().unwrap_or(0.0);
    need!(is_number && v > 0.0 && v.is_finite(), "width_mult is not above zero");
    let shortest = format!("{:e}", v); // the fewest digits that read back as v: 1.5e-7
    let (digits, e) = shortest.split_at(shortest.find('e').unwrap_or(0));
    let exponent: i32 = e[1..].parse().unwrap_or(0);
    if exponent < -4 || exponent >= 16 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return Ok(format!("{}e{}{:02}", digits, sign, exponent.abs()));
    }
    let decimals = digits.len().saturating_sub(2) as i32 - exponent;
    Ok(format!("{:.*}", decimals.max(1) as usize, v))
}

/// A JSON string in its canonical spelling: ASCII, the shortest escapes, lower-case hex digits.
fn name(json: &str) -> Result<String, String> {
    let rest = value_of(json, "name")?;
    need!(rest.starts_with('"'), "name is no string");
    let mut chars = rest[1..].chars();
    let mut units: Vec<u16> = Vec::new();
    loop {
        let c = chars.next().unwrap_or('\n');
        need!(c >= ' ', "the name is no JSON string");
        if c == '"' {
            break;
        }
        if c != '\\' {
            units.extend(c.encode_utf16(&mut [0; 2]).iter());
            continue;
        }
        match chars.next() {
            Some(c @ '"') | Some(c @ '\\') | Some(c @ '/') => units.push(c as u16),
            Some('b') => units.push(8),
            Some('f') => units.push(12),
            Some('n') => units.push(10),
            Some('r') => units.push(13),
            Some('t') => units.push(9),
            Some('u') => {
                let hex: String = chars.by_ref().take(4).collect();
                let good = hex.len() == 4 && hex.bytes().all(|b| b.is_ascii_hexdigit());
                need!(good, "the name is no JSON string");
                units.push(u16::from_str_radix(&hex, 16).map_err(|e| e.to_string())?);
            }
            _ => return Err("the name is no JSON string".into()),
        }
    }
    need!(String::from_utf16(&units).is_ok(), "the name holds half a character");
    need!(!units.contains(&0), "the name holds a NUL");
    let mut out = String::from("\"");
    for u in units {
        match u {
            8 => out.push_str("\\b"),
            9 => out.push_str("\\t"),
            10 => out.push_str("\\n"),
            12 => out.push_str("\\f"),
            13 => out.push_str("\\r"),
            34 => out.push_str("\\\""),
            92 => out.push_str("\\\\"),
            32..=126 => out.push(u as u8 as char),
            _ => out.push_str(&format!("\\u{:04x}", u)),
        }
    }
    out.push('"');
    Ok(out)
}

fn read_arch(json: &str) -> Result<Arch, String> {
    let mut stages = Vec::new();
    let mut rest = value_of(json, "stages")?;
    need!(rest.starts_with('['), "stages is no array");
    loop {
        rest = rest[1..].trim_start_matches(SPACE);
        need!(rest.starts_with('{') && stages.len() < 8, "stages are not 1..8 objects");
        let end = rest.find('}').ok_or("stages is no array")? + 1;
        let stage = &rest[..end];
        need!(stage.matches('"').count() == 6, "a stage has not the keys t, n and s");
        let (t, n) = (integer(stage, "t", 255)?, integer(stage, "n", 255)?);
        stages.push(Stage { t, n, s: integer(stage, "s", 4)? });
        rest = rest[end..].trim_start_matches(SPACE);
        if !rest.starts_with(',') {
            break;
        }
    }
    need!(rest.starts_with(']'), "stages is no array");
    Ok(Arch {
        name: name(json)?,
        width_mult: width(json)?,
        stem_kernel: integer(json, "stem_kernel", 15)?,
        stem_stride: integer(json, "stem_stride", 4)?,
        stem_channels: integer(json, "stem_channels", 65535)?,
        block_channels: integer(json, "block_channels", 65535)?,
        final_channels: integer(json, "final_channels", 65535)?,
        embedding_dim: integer(json, "embedding_dim", 65535)?,
        gdc_kernel: integer(json, "gdc_kernel", 112)?,
        stages,
    })
}

fn export(arch: &[u8], folder: &Path) -> Result<Vec<u8>, String> {
    let json = std::str::from_utf8(arch).map_err(|e| e.to_string())?;
    let mut found = 0;
    let data = write(&read_arch(json)?, |name, shape| {
        found += 1;
        read_npy(folder, name, shape)
    })?;
    let files = fs::read_dir(folder).map_err(|e| e.to_string())?;
    let is_npy = |name: std::ffi::OsString| name.to_string_lossy().ends_with(".npy");
    let count = files.filter(|f| f.as_ref().map_or(false, |f| is_npy(f.file_name()))).count();
    need!(count == found, "a tensor is not in the layout");
    Ok(data)
}

fn main() {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if args.len() != 3 {
        eprintln!("usage: exporter ARCH.json TENSORS_FOLDER OUT.bin");
        exit(70);
    }
    let arch = fs::read(&args[0]).expect("the arch can be read"); // a panic ends with 101
    match export(&arch, Path::new(&args[1])) {
        Ok(data) => fs::write(&args[2], data).expect("the output can be written"),
        Err(reason) => {
            eprintln!("{}", reason);
            exit(1); // refused
        }
    }
}
