#!/usr/bin/env node
// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// An EFM3 engine to start from, in double precision; Node 18 or newer, no packages.
//
//     node engine.js MODEL INPUT OUTPUT [LAYERS]    exit code 1 where MODEL is refused
//
// INPUT is float32 [3, 112, 112], OUTPUT the embedding; the folder LAYERS gets NAME.f32 a layer.
// Put your own engine in the place of `load` and `forward`.
'use strict';

const fs = require('fs');
const path = require('path');

const SIDE = 112;

// The model breaks a rule; the message starts with the rule's code.
class Refused extends Error {}

function need(ok, reason) {
  if (!ok) throw new Refused(reason);
}

// The layers of a file's bytes, a Buffer, with their values; the JSON mirror is skipped.
function load(data) {
  need(data.length >= 92, 'C004: the file ends inside its first 92 bytes');
  need(data.toString('latin1', 0, 4) === 'EFM3', 'C002: the file does not start with EFM3');
  need(data.readUInt32LE(4) === 3, 'C003: the version is not 3');
  const layers = readArch(data);
  const jsonLen = data.readUInt32LE(88);
  need(jsonLen <= 1 << 20, 'C005: json_len is over 1 MiB');
  need(jsonLen <= data.length - 92, 'C006: the mirror reaches past the end of the file');
  let at = 92 + jsonLen;
  need(data.length - at >= 4, 'C007: the file ends before the whole tensor count');
  const count = layers.reduce((sum, layer) => sum + (layer.act ? 6 : 5), 0);
  need(data.readUInt32LE(at) === count, `T001: the layout has ${count} tensors`);
  at += 4;

  function tensor(name, values) { // at any alignment
    need(data.length - at >= 4, `T013: the file ends before the size of ${name}`);
    need(data.readUInt32LE(at) === 4 * values, `T002: ${name} has not its shape's size`);
    at += 4;
    need(4 * values <= data.length - at, `T012: the file ends inside ${name}`);
    const out = new Float64Array(values);
    for (let i = 0; i < values; i++) out[i] = data.readFloatLE(at + 4 * i);
    at += 4 * values;
    return out;
  }
  for (const layer of layers) {
    const { name, cin, cout, kernel, depthwise } = layer;
    layer.w = tensor(`${name}.conv.w`, cout * (depthwise ? 1 : cin) * kernel * kernel);
    layer.gamma = tensor(`${name}.bn.w`, cout);
    layer.beta = tensor(`${name}.bn.b`, cout);
    layer.mean = tensor(`${name}.bn.mean`, cout);
    layer.variance = tensor(`${name}.bn.var`, cout);
    if (layer.act) layer.slope = tensor(`${name}.act.w`, cout);
  }
  need(at === data.length, 'T014: bytes follow the last tensor');
  return layers;
}

// The layers of the arch header, whose 80 bytes start at byte 8, in order of execution.
function readArch(data) {
  const [hdrVersion, nStages, stemKernel, stemStride] = data.subarray(8);
  const stem = data.readUInt16LE(12);
  const other = data.readUInt16LE(14);
  const final = data.readUInt16LE(16);
  const dim = data.readUInt16LE(18);
  const gdcKernel = data[20];
  need(hdrVersion === 1, 'H001: hdr_version is not 1');
  need(data[21] === 0 && data[22] === 0 && data[23] === 0, 'H002: a pad byte is not zero');
  need(nStages >= 1 && nStages <= 8, 'H003: n_stages is not 1..8');
  need(stemKernel % 2 === 1 && stemKernel <= 15, 'H004: stem_kernel is not odd, 1..15');
  need(stemStride >= 1 && stemStride <= 4, 'H005: stem_stride is not 1..4');
  need(stem >= 1, 'H006: stem_channels is 0');
  need(other >= 1, 'H007: block_channels is 0');
  need(final >= 1, 'H008: final_channels is 0');
  need(dim >= 1, 'H009: embedding_dim is 0');
  const stages = [];
  let blocks = 0;
  let side = Math.floor((SIDE + 2 * ((stemKernel - 1) / 2) - stemKernel) / stemStride) + 1;
  for (let i = 0; i < 8; i++) {
    const record = data.subarray(24 + 8 * i, 32 + 8 * i);
    const [t, n, s] = record;
    if (i >= nStages) {
      need(record.every((byte) => byte === 0), 'H018: an unused stage record is not zero');
      continue;
    }
    need(t >= 1, `H011: stage ${i + 1} has t = 0`);
    need(n >= 1, `H012: stage ${i + 1} has n = 0`);
    need(s >= 1 && s <= 4, `H013: stage ${i + 1} has a stride outside 1..4`);
    need(record.subarray(3).every((byte) => byte === 0),
      `H017: stage ${i + 1} has a pad that is not zero`);
    side = Math.floor((side - 1) / s) + 1;
    blocks += n;
    stages.push({ t, n, s });
  }
  need(blocks <= 256, 'H014: more than 256 blocks');
  need(gdcKernel === side, `H016: gdc_kernel is not ${side}, the last map's side`);

  const layers = [];
  function layer(name, cin, cout, more = {}) {
    layers.push({
      name, cin, cout, kernel: 1, stride: 1, pad: 0, depthwise: false, act: true, adds: false,
      ...more,
    });
  }
  layer('stem', 3, stem, { kernel: stemKernel, stride: stemStride, pad: (stemKernel - 1) / 2 });
  layer('dw_stem', stem, stem, { kernel: 3, pad: 1, depthwise: true });
  let c = stem;
  stages.forEach(({ t, n, s }, i) => {
    const out = i === 0 ? stem : other;
    for (let j = 0; j < n; j++) {
      const block = `stage${i + 1}.block${j}`;
      const stride = j === 0 ? s : 1;
      const wide = c * t;
      need(wide <= 65535, `H015: stage ${i + 1} expands to ${wide} channels`);
      layer(`${block}.expand`, c, wide, { startsBlock: true });
      layer(`${block}.dw`, wide, wide, { kernel: 3, stride, pad: 1, depthwise: true });
      layer(`${block}.project`, wide, out, { act: false, adds: stride === 1 && c === out });
      c = out;
    }
  });
  layer('final_conv', c, final);
  layer('gdconv', final, final, { kernel: gdcKernel, depthwise: true, act: false });
  layer('embed_proj', final, dim, { act: false });
  return layers;
}

// Adds w * plane, shifted by one tap of the kernel, to `sum`; outside the plane is zero.
function tap(sum, side, x, plane, inSide, w, stride, dy, dx) {
  const first = Math.max(0, Math.ceil(-dx / stride));
  for (let row = 0; row < side; row++) {
    const iy = row * stride + dy;
    if (iy < 0 || iy >= inSide) continue;
    const from = plane + iy * inSide + dx;
    for (let col = first; col < side && col * stride + dx < inSide; col++) {
      sum[row * side + col] += w * x[from + col * stride];
    }
  }
}

// A layer's output [cout, side, side] for x [cin, inSide, inSide], BatchNorm folded in.
function apply(layer, x, inSide, side, blockInput) {
  const { cin, cout, kernel, stride, pad, depthwise } = layer;
  const perGroup = depthwise ? 1 : cin;
  const area = side * side;
  const y = new Float64Array(cout * area);
  const sum = new Float64Array(area);
  for (let o = 0; o < cout; o++) {
    const scale = layer.gamma[o] / Math.sqrt(layer.variance[o] + 1e-5);
    sum.fill(layer.beta[o] - layer.mean[o] * scale);
    for (let c = 0; c < perGroup; c++) {
      const plane = (depthwise ? o : c) * inSide * inSide;
      const filter = (o * perGroup + c) * kernel * kernel;
      if (kernel === 1 && stride === 1) {
        const w = layer.w[filter] * scale;
        for (let p = 0; p < area; p++) sum[p] += w * x[plane + p];
        continue;
      }
      for (let i = 0; i < kernel; i++) {
        for (let j = 0; j < kernel; j++) {
          tap(sum, side, x, plane, inSide, layer.w[filter + i * kernel + j] * scale, stride,
            i - pad, j - pad);
        }
      }
    }
    for (let p = 0; p < area; p++) {
      const v = layer.act && !(sum[p] > 0) ? layer.slope[o] * sum[p] : sum[p];
      y[o * area + p] = layer.adds ? v + blockInput[o * area + p] : v;
    }
  }
  return y;
}

// The embedding, of length 1, of x [3, 112, 112]; `watch` gets each layer's name and output.
function forward(layers, input, watch) {
  let x = input;
  let side = SIDE;
  let blockInput = null;
  for (const layer of layers) {
    if (layer.startsBlock) blockInput = x;
    const outSide = Math.floor((side + 2 * layer.pad - layer.kernel) / layer.stride) + 1;
    x = apply(layer, x, side, outSide, blockInput);
    side = outSide;
    watch(layer.name, x);
  }
  const norm = Math.max(Math.sqrt(x.reduce((sum, v) => sum + v * v, 0)), 1e-12);
  return x.map((v) => v / norm);
}

function save(file, values) {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((v, i) => bytes.writeFloatLE(v, 4 * i));
  fs.writeFileSync(file, bytes);
}

function main([model, input, output, folder]) {
  const layers = load(fs.readFileSync(model));
  const given = fs.readFileSync(input);
  if (given.length !== 4 * 3 * SIDE * SIDE) throw new Error('the input is not 3 x 112 x 112');
  const x = Float64Array.from({ length: 3 * SIDE * SIDE }, (_, i) => given.readFloatLE(4 * i));
  save(output, forward(layers, x, (name, y) => {
    if (folder) save(path.join(folder, `${name}.f32`), y);
  }));
}

try {
  main(process.argv.slice(2));
} catch (e) {
  // Node ends with 1 on its own, and 1 would say refused.
  console.error(e instanceof Refused ? e.message : e);
  process.exitCode = e instanceof Refused ? 1 : 70;
}
