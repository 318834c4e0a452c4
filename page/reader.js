// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// What stands where in the bytes, for the view that is there at once. It judges nothing: verdicts
// are the engine's and the validator's. tests/page compares it with `efm3 inspect` on every case.

import { declared } from './declared.js';

/**
 * @typedef {{path: string, offset: number, length: number, doc: string, value: number | string | null}} Field
 * @typedef {{number: number, name: string, offset: number, at: number, size: number, present: number, shape: number[]}} Tensor
 * @typedef {{t: number, n: number, s: number}} Stage
 * @typedef {{stem_kernel: number, stem_stride: number, stem_channels: number, block_channels: number,
 *   final_channels: number, embedding_dim: number, gdc_kernel: number, stages: Stage[]}} Arch
 * @typedef {{name: string, stage: number | null, block: number | null, layer: string, kind: string,
 *   shape: number[], stride: number, act: boolean, residual: string, inSide: number, outSide: number,
 *   parameters: number, macs: number}} Layer
 * @typedef {{size: number, values: Map<string, number | string>, arch: Arch | null, layers: Layer[],
 *   jsonLen: number | null, mirror: Record<string, any>, nTensors: number | null, tensors: Tensor[],
 *   fields: Field[]}} Reading
 */

const { consts: C } = declared;

/** @param {number[]} shape */
export const volume = (shape) => shape.reduce((a, b) => a * b, 1);

/**
 * @param {Uint8Array} bytes
 * @param {number} offset
 * @param {number} size  at most 4
 */
function number(bytes, offset, size) {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[offset + i];
  return value;
}

/** @param {Uint8Array} bytes */
const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');

/**
 * @param {number} side
 * @param {number} kernel
 * @param {number} stride
 * @param {number} padding
 */
const convSide = (side, kernel, stride, padding) =>
  Math.floor((side + 2 * padding - kernel) / stride) + 1;

/**
 * The layers of an arch, in stored order.
 * @param {Arch} arch
 * @returns {Layer[]}
 */
export function layersOf(arch) {
  let side = C.inputSide;
  /** @type {Layer[]} */
  const out = [];
  /**
   * @param {string} name
   * @param {string} kind
   * @param {number} cin
   * @param {number} cout
   * @param {{kernel?: number, stride?: number, padding?: number, act?: boolean, residual?: string}} [more]
   */
  const layer = (name, kind, cin, cout, more = {}) => {
    const { kernel = 1, stride = 1, padding = 0, act = true, residual = '' } = more;
    const inSide = side;
    side = convSide(side, kernel, stride, padding);
    const alone = kind === 'depthwise' || kind === 'gdconv';
    const shape = [cout, alone ? 1 : cin, kernel, kernel];
    const parts = name.split('.');
    const inside = parts.length === 3;
    out.push({ name, kind, shape, stride, act, residual, inSide, outSide: side,
      stage: inside ? Number(parts[0].slice(5)) : null,
      block: inside ? Number(parts[1].slice(5)) : null, layer: parts[parts.length - 1],
      parameters: volume(shape) + (2 + Number(act)) * cout, macs: volume(shape) * side ** 2 });
  };
  let c = arch.stem_channels;
  layer('stem', 'conv', C.inputChannels, c, { kernel: arch.stem_kernel,
    stride: arch.stem_stride, padding: Math.floor(arch.stem_kernel / 2) });
  layer('dw_stem', 'depthwise', c, c, { kernel: 3, padding: 1 });
  arch.stages.forEach((stage, i) => {
    const wide = i === 0 ? arch.stem_channels : arch.block_channels;
    for (let j = 0; j < stage.n; j++) {
      const block = `stage${i + 1}.block${j}`;
      const stride = j === 0 ? stage.s : 1;
      layer(`${block}.expand`, 'pointwise', c, c * stage.t);
      layer(`${block}.dw`, 'depthwise', c * stage.t, c * stage.t,
        { kernel: 3, stride, padding: 1 });
      layer(`${block}.project`, 'pointwise', c * stage.t, wide,
        { act: false, residual: stride === 1 && c === wide ? `${block}.expand` : '' });
      c = wide;
    }
  });
  layer('final_conv', 'pointwise', c, arch.final_channels);
  layer('gdconv', 'gdconv', arch.final_channels, arch.final_channels,
    { kernel: arch.gdc_kernel, act: false });
  layer('embed_proj', 'pointwise', arch.final_channels, arch.embedding_dim, { act: false });
  return out;
}

/**
 * @param {Layer[]} layers
 * @returns {{name: string, shape: number[]}[]}
 */
export function layoutOf(layers) {
  return layers.flatMap((x) => [{ name: `${x.name}.conv.w`, shape: x.shape },
    ...[...C.bnTensors, ...(x.act ? ['act.w'] : [])].map(
      (t) => ({ name: `${x.name}.${t}`, shape: [x.shape[0]] }))]);
}

/**
 * The network that the header states; null where it states none that can be laid out.
 * @param {Map<string, number | string>} values
 * @returns {Arch | null}
 */
function archOf(values) {
  const limits = new Map(declared.fields.map((f) => [f.path, f]));
  let fits = true;
  /** @param {string} path */
  const own = (path) => {
    const f = limits.get(`arch.${path}`);
    const value = values.get(`arch.${path}`);
    if (!f || typeof value !== 'number' || value < f.lo || value > f.hi
        || (value - f.lo) % f.step) fits = false;
    return Number(value);
  };
  const used = own('n_stages');
  if (!fits) return null;
  const stages = Array.from({ length: used }, (_, i) => (
    { t: own(`stages[${i}].t`), n: own(`stages[${i}].n`), s: own(`stages[${i}].s`) }));
  const arch = { stem_kernel: own('stem_kernel'), stem_stride: own('stem_stride'),
    stem_channels: own('stem_channels'), block_channels: own('block_channels'),
    final_channels: own('final_channels'), embedding_dim: own('embedding_dim'),
    gdc_kernel: own('gdc_kernel'), stages };
  if (!fits || stages.reduce((n, s) => n + s.n, 0) > C.maxBlocks) return null;
  const layers = layersOf(arch);
  const fitting = layers.every((x) => !x.name.endsWith('.expand') || x.shape[0] <= C.maxExpanded)
    && layers[layers.length - 3].outSide === arch.gdc_kernel;
  return fitting ? arch : null;
}

/**
 * True where a text opens more brackets than a mirror may.
 * @param {string} text
 */
function deep(text) {
  let [depth, inside] = [0, false];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inside && c === '\\') i++;
    else if (c === '"') inside = !inside;
    else if (!inside && (c === '{' || c === '[') && ++depth > C.maxJsonDepth) return true;
    else if (!inside && (c === '}' || c === ']')) depth--;
  }
  return false;
}

/**
 * The mirror as far as JSON.parse reads it; a number that is not written as an integer is its text,
 * for 5.0 is not the integer that the format states.
 * @param {Uint8Array} bytes
 * @returns {Record<string, any>}
 */
function mirrorOf(bytes) {
  const text = new TextDecoder().decode(bytes);
  if (deep(text)) return {};
  try {
    // Browsers that do not give the source give the number.
    const value = /** @type {any} */ (JSON).parse(text, (/** @type {string} */ _, /** @type {any} */ v,
      /** @type {{source?: string} | undefined} */ context) => (typeof v === 'number'
      && /[.eE]/.test(context?.source ?? '') ? context?.source : v));
    return value && typeof value === 'object' && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {Reading}
 */
export function read(bytes) {
  const size = bytes.length;
  /** @type {Reading} */
  const out = { size, values: new Map(), arch: null, layers: [], jsonLen: null, mirror: {},
    nTensors: null, tensors: [], fields: [] };
  for (const f of declared.fields) {
    if (f.offset >= size) break;
    const whole = f.offset + f.size <= size;
    const value = !whole ? null : f.number ? number(bytes, f.offset, f.size)
      : hex(bytes.subarray(f.offset, f.offset + f.size));
    if (value !== null) out.values.set(f.path, value);
    out.fields.push({ path: f.path, offset: f.offset, length: Math.min(f.size, size - f.offset),
      doc: f.doc, value });
  }
  if (size < C.prefixSize) return out;
  out.arch = archOf(out.values);
  out.layers = out.arch ? layersOf(out.arch) : [];
  const jsonLen = Number(out.values.get('json_len'));
  let at = C.prefixSize;
  /** @param {string} path @param {number} length @param {string} doc @param {number | null} value */
  const field = (path, length, doc, value = null) => {
    out.fields.push({ path, offset: at, length, doc, value });
    at += length;
  };
  if (jsonLen <= C.maxJsonLen && jsonLen <= size - at) {
    out.jsonLen = jsonLen;
    out.mirror = mirrorOf(bytes.subarray(at, at + jsonLen));
    if (jsonLen) field('json', jsonLen, 'JSON mirror; engines skip it');
    if (size - at >= C.countSize) {
      out.nTensors = number(bytes, at, C.countSize);
      field('n_tensors', C.countSize, 'entries of the tensor table', out.nTensors);
      table(bytes, out, field, at);
      const last = out.tensors[out.tensors.length - 1];
      if (last) at = last.at + last.present;
    }
  }
  if (at < size) field('trailing', size - at, 'bytes that belong to no field');
  return out;
}

/**
 * The entries of the table, as long as one begins in the file.
 * @param {Uint8Array} bytes
 * @param {Reading} out
 * @param {(path: string, length: number, doc: string, value?: number | null) => void} field
 * @param {number} at
 */
function table(bytes, out, field, at) {
  const layout = layoutOf(out.layers);
  const most = Math.min(out.nTensors ?? 0, 2 * layout.length || C.maxTensors);
  for (let n = 0; n < most && bytes.length - at >= C.countSize; n++) {
    const size = number(bytes, at, C.countSize);
    const present = Math.min(size, bytes.length - at - C.countSize);
    const { name, shape } = layout[n] ?? { name: '', shape: [] };
    out.tensors.push({ number: n, name, offset: at, at: at + C.countSize, size, present, shape });
    field(`tensors[${n}].size`, C.countSize,
      `payload bytes of ${name || 'an entry past the layout'}`, size);
    if (present) field(`tensors[${n}].data`, present, `${name || 'unknown'} float32`);
    if (present < size) return;
    at += C.countSize + size;
  }
}
