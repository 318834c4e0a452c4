#!/usr/bin/env node
// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// An EFM3 exporter to start from; Node 18 or newer, no packages.
//
//     node exporter.js ARCH.json TENSORS_FOLDER OUT.bin    exit code 1: refused, nothing is written
//
// Put your own source of weights in the place of `readNpy`.
'use strict';

const fs = require('fs');
const path = require('path');

// No file can be made of this; the message says why.
class Refused extends Error {}

function need(ok, reason) {
  if (!ok) throw new Refused(reason);
}

const KEYS = ['stem_channels', 'block_channels', 'final_channels', 'embedding_dim', 'gdc_kernel'];
const LIMITS = {
  stem_kernel: 15, stem_stride: 4, stem_channels: 65535, block_channels: 65535,
  final_channels: 65535, embedding_dim: 65535, gdc_kernel: 112,
};

// Refuse what the header cannot state and what no engine could run.
function check(arch) {
  const isObject = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);
  need(isObject(arch) && Array.isArray(arch.stages), 'this is no arch');
  need(arch.stages.length >= 1 && arch.stages.length <= 8, 'there are not 1..8 stages');
  need(arch.stages.every(isObject), 'a stage is no object');
  const limits = (row, most) => Object.entries(most).forEach(([key, m]) => need(
    Number.isInteger(row[key]) && row[key] >= 1 && row[key] <= m, `${key} is not 1..${m}`));
  limits(arch, LIMITS);
  arch.stages.forEach((stage) => {
    limits(stage, { t: 255, n: 255, s: 4 });
    need(Object.keys(stage).length === 3, 'a stage has more than t, n and s');
  });
  need(arch.stem_kernel % 2 === 1, 'stem_kernel is even');
  need(arch.stages.reduce((sum, stage) => sum + stage.n, 0) <= 256, 'more than 256 blocks');
  let side = Math.floor((112 - 1) / arch.stem_stride) + 1;
  for (const stage of arch.stages) side = Math.floor((side - 1) / stage.s) + 1;
  need(arch.gdc_kernel === side, `gdc_kernel is not ${side}, the last map's side`);
  need(typeof arch.name === 'string', 'the name is no text');
  need(!/[\0\ud800-\udfff]/u.test(arch.name), 'the name holds a NUL or half a character');
  need(Number.isFinite(arch.width_mult) && arch.width_mult > 0, 'width_mult is not above zero');
}

// [name, shape] of every tensor, in stored order.
function tensorLayout(arch) {
  const layout = [];
  function layer(name, out, perGroup, kernel, act = true) {
    layout.push([`${name}.conv.w`, [out, perGroup, kernel, kernel]]);
    for (const part of ['bn.w', 'bn.b', 'bn.mean', 'bn.var', 'act.w'].slice(0, act ? 5 : 4)) {
      layout.push([`${name}.${part}`, [out]]);
    }
  }
  let c = arch.stem_channels;
  layer('stem', c, 3, arch.stem_kernel);
  layer('dw_stem', c, 1, 3);
  arch.stages.forEach((stage, i) => {
    const out = i === 0 ? arch.stem_channels : arch.block_channels;
    for (let j = 0; j < stage.n; j++) {
      const block = `stage${i + 1}.block${j}`;
      const wide = c * stage.t;
      need(wide <= 65535, `stage ${i + 1} expands to ${wide} channels`);
      layer(`${block}.expand`, wide, c, 1);
      layer(`${block}.dw`, wide, 1, 3);
      layer(`${block}.project`, out, wide, 1, false);
      c = out;
    }
  });
  layer('final_conv', arch.final_channels, c, 1);
  layer('gdconv', arch.final_channels, 1, arch.gdc_kernel, false);
  layer('embed_proj', arch.embedding_dim, arch.final_channels, 1, false);
  return layout;
}

// A real number's canonical spelling: the fewest digits that read back as it, always with a point
// or an exponent.
function real(value) {
  const [, first, rest = '', e] = /^(\d)(?:\.(\d+))?e(.+)$/.exec(value.toExponential());
  const exponent = Number(e);
  if (exponent < -4 || exponent >= 16) {
    const point = rest ? '.' : '';
    const sign = exponent < 0 ? '-' : '+';
    return `${first}${point}${rest}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${first}${rest}`;
  const digits = (first + rest).padEnd(exponent + 1, '0');
  return `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1) || '0'}`;
}

// The mirror's text: compact ASCII JSON, keys in order.
function mirrorText(arch) {
  // JSON.stringify escapes what must be; the rest outside of printable ASCII is added.
  const name = JSON.stringify(arch.name).replace(/[^ -~]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const numbers = KEYS.map((key) => `"${key}":${arch[key]}`).join(',');
  const stages = arch.stages.map(({ t, n, s }) => `{"t":${t},"n":${n},"s":${s}}`).join(',');
  return `{"name":${name},"width_mult":${real(arch.width_mult)},${numbers},"stages":[${stages}]}`;
}

function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

// The file's bytes; `tensor(name, shape)` gives the payload, float32 little-endian.
function write(arch, tensor) {
  check(arch);
  const text = Buffer.from(mirrorText(arch), 'latin1');
  need(text.length <= 1 << 20, 'the mirror is over 1 MiB');
  const header = Buffer.alloc(80);
  header[0] = 1;
  header[1] = arch.stages.length;
  header[2] = arch.stem_kernel;
  header[3] = arch.stem_stride;
  header.writeUInt16LE(arch.stem_channels, 4);
  header.writeUInt16LE(arch.block_channels, 6);
  header.writeUInt16LE(arch.final_channels, 8);
  header.writeUInt16LE(arch.embedding_dim, 10);
  header[12] = arch.gdc_kernel;
  arch.stages.forEach(({ t, n, s }, i) => header.set([t, n, s], 16 + 8 * i));
  const layout = tensorLayout(arch);
  const parts = [Buffer.from('EFM3'), u32(3), header, u32(text.length), text, u32(layout.length)];
  for (const [name, shape] of layout) {
    const payload = tensor(name, shape);
    parts.push(u32(payload.length), payload);
  }
  return Buffer.concat(parts);
}

// The payload of FOLDER/NAME.npy, NPY format 1.0.
function readNpy(folder, name, shape) {
  const file = path.join(folder, `${name}.npy`);
  need(fs.existsSync(file), `${name} is missing`);
  const npy = fs.readFileSync(file);
  need(npy.length >= 10 && npy.toString('latin1', 0, 8) === '\x93NUMPY\x01\x00',
    `${name} is not NPY format 1.0`);
  const start = 10 + npy.readUInt16LE(8);
  const header = npy.toString('latin1', 10, start);
  need(header.includes("'descr': '<f4'"), `${name} is not float32 little-endian`);
  need(header.includes("'fortran_order': False"), `${name} is not in C order`);
  need(header.includes(shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`),
    `${name} has another shape`);
  const payload = npy.subarray(start);
  need(payload.length === 4 * shape.reduce((a, b) => a * b), `${name} is cut`);
  for (let at = 0; at < payload.length; at += 4) {
    need(Number.isFinite(payload.readFloatLE(at)), `${name} holds NaN or infinity`);
  }
  return payload;
}

function main([archPath, folder, out]) {
  const bytes = fs.readFileSync(archPath);
  let text;
  let arch;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    arch = JSON.parse(text);
  } catch (e) {
    throw new Refused(`the arch is no JSON: ${e.message}`);
  }
  for (const key of [...KEYS, 'stem_kernel', 'stem_stride', 't', 'n', 's']) {
    need(!new RegExp(`"${key}"\\s*:\\s*-?[0-9]*[.eE]`).test(text), `${key} is no integer`);
  }
  let found = 0;
  const data = write(arch, (name, shape) => {
    found += 1;
    return readNpy(folder, name, shape);
  });
  const files = fs.readdirSync(folder).filter((file) => file.endsWith('.npy'));
  need(files.length === found, 'a tensor is not in the layout');
  fs.writeFileSync(out, data);
}

try {
  main(process.argv.slice(2));
} catch (e) {
  // Node ends with 1 on its own, and 1 would say refused.
  console.error(e instanceof Refused ? e.message : e);
  process.exitCode = e instanceof Refused ? 1 : 70;
}
