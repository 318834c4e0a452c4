// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Loads an EFM3 file and computes face embeddings, in browsers and in Node. The work is the C engine's,
// compiled to WebAssembly; what is here moves bytes to it and back. index.d.ts says what each export is.
import { FIELDS, INPUT_SIDE, PREFIX_SIZE } from './fields.js';

const NODE = typeof process === 'object' && !!process.versions?.node;
const PIXELS = 3 * INPUT_SIDE * INPUT_SIDE;
const PRECISIONS = ['f32', 'high', 'fast'];
const MOST = 2 ** 30; // bytes of a module's memory; no larger file can be opened

// The least modules with an instruction of each row; a bundler finds the files by these words.
const HEAD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10];
const SPLAT = [65, 0, 253, 17]; // i32x4.splat of 0
const ROWS = {
  wasmrelaxed: {
    file: new URL('./wasmrelaxed.wasm', import.meta.url),
    probe: [...HEAD, 19, 1, 17, 0, ...SPLAT, ...SPLAT, ...SPLAT, 253, 133, 2, 11],
  },
  wasmsimd: {
    file: new URL('./wasmsimd.wasm', import.meta.url),
    probe: [...HEAD, 8, 1, 6, 0, ...SPLAT, 11],
  },
  scalar: { file: new URL('./scalar.wasm', import.meta.url), probe: HEAD.slice(0, 8) },
};

export class Efm3Error extends Error {
  constructor(code, message, place = {}) {
    super(message);
    this.name = 'Efm3Error';
    this.code = code;
    const nothing = { status: 0, offset: null, path: null, found: null, expected: null, source: null };
    Object.assign(this, nothing, place);
  }
}

export function row() {
  return Object.keys(ROWS).find((name) => WebAssembly.validate(new Uint8Array(ROWS[name].probe)));
}

// A module that runs: its functions and its memory, whose views end whenever it grows.
class Host {
  constructor(exports) {
    this.x = exports;
    this.utf8 = new TextDecoder();
  }

  bytes(at, length) {
    return new Uint8Array(this.x.memory.buffer, at, length);
  }

  view(at, length) {
    return new DataView(this.x.memory.buffer, at, length);
  }

  text(at, most = 256) {
    const bytes = this.bytes(at, Math.min(most, this.x.memory.buffer.byteLength - at));
    return this.utf8.decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  take(length) {
    const at = this.x.malloc(Math.max(length, 1));
    if (!at) throw this.error(-5);
    return at;
  }

  // use(address) with `length` bytes, which are zero where `from` does not give them.
  lend(length, use, from = null) {
    const at = this.take(length);
    try {
      if (from) this.bytes(at, length).set(from);
      else this.bytes(at, length).fill(0);
      return use(at);
    } finally {
      this.x.free(at);
    }
  }

  error(status, place = {}, message = this.text(this.x.mfn_strerror(status))) {
    return new Efm3Error(this.text(this.x.mfn_status_name(status)), message, { status, ...place });
  }

  check(status) {
    if (status) throw this.error(status);
  }
}

const hosts = new Map();

async function start(name) {
  const { file } = ROWS[name];
  let bytes;
  if (NODE && file.protocol === 'file:') {
    bytes = await (await import('node:fs/promises')).readFile(file);
  } else {
    const answer = await fetch(file);
    if (!answer.ok) throw new Error(`${file.pathname}: HTTP ${answer.status}`);
    bytes = await answer.arrayBuffer();
  }
  const { instance } = await WebAssembly.instantiate(bytes, {});
  instance.exports._initialize?.();
  return new Host(instance.exports);
}

// One for each row, kept; tried again where it failed.
function host(name = row()) {
  if (!Object.hasOwn(ROWS, name)) throw new TypeError(`row is ${name}, known are ${Object.keys(ROWS).join(', ')}`);
  if (!hosts.has(name)) {
    const made = start(name);
    hosts.set(name, made);
    made.catch(() => hosts.delete(name));
  }
  return hosts.get(name);
}

// Sources. Each is read as far as its header allows, and no byte more than that and one.

function stated(h, prefix) {
  if (prefix.length < PREFIX_SIZE) return PREFIX_SIZE;
  return h.lend(PREFIX_SIZE, (at) => {
    h.check(h.x.mfn_web_scan(at, PREFIX_SIZE, 0));
    const bytes = h.view(h.x.mfn_web_head(), 8).getFloat64(0, true);
    return bytes < 0 ? PREFIX_SIZE : bytes;
  }, prefix.subarray(0, PREFIX_SIZE));
}

async function readStream(h, stream, all) {
  const parts = [];
  let length = 0;
  let most = all ? MOST : PREFIX_SIZE;
  const joined = () => {
    const out = new Uint8Array(length);
    let at = 0;
    for (const part of parts) (out.set(part, at), (at += part.length));
    return out;
  };
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const before = length;
    parts.push(value);
    length += value.length;
    if (!all && before < PREFIX_SIZE && length >= PREFIX_SIZE) most = Math.min(MOST, stated(h, joined()));
    if (length > most) {
      await reader.cancel();
      break;
    }
  }
  return joined();
}

async function readParts(h, size, all, part) {
  if (all && size > MOST) throw h.error(-19);
  const prefix = await part(0, Math.min(size, PREFIX_SIZE));
  const most = all ? size : Math.min(size, MOST, stated(h, prefix) + 1);
  return most <= prefix.length ? prefix.subarray(0, most) : part(0, most);
}

async function readFile(h, path, all) {
  const fs = await import('node:fs/promises');
  let file;
  try {
    file = await fs.open(path);
  } catch (cause) {
    throw h.error(-2, { source: String(path), cause }, `cannot be opened: ${cause.message}`);
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw h.error(-3, { source: String(path) });
    return {
      size: stat.size,
      bytes: await readParts(h, stat.size, all, async (from, length) => {
        const out = new Uint8Array(length);
        const { bytesRead } = await file.read(out, 0, length, from);
        if (bytesRead < length) throw h.error(-4, { source: String(path) });
        return out;
      }),
    };
  } finally {
    await file.close();
  }
}

async function readAddress(h, address, all) {
  const text = String(address);
  if (NODE && !/^(https?|data|blob):/i.test(text)) return readFile(h, address, all);
  let answer;
  try {
    answer = await fetch(address);
  } catch (cause) {
    throw h.error(-2, { source: text, cause }, `cannot be opened: ${cause.message}`);
  }
  if (!answer.ok) throw h.error(-2, { source: text }, `cannot be opened: HTTP ${answer.status}`);
  return { bytes: await readStream(h, answer.body, all) };
}

// {bytes, size}: `size` is the source's own where only its beginning was read.
async function read(h, source, all) {
  if (ArrayBuffer.isView(source))
    return { bytes: new Uint8Array(source.buffer, source.byteOffset, source.byteLength) };
  if (source instanceof ArrayBuffer) return { bytes: new Uint8Array(source) };
  if (source instanceof Blob) {
    const part = async (from, to) => new Uint8Array(await source.slice(from, to).arrayBuffer());
    return { size: source.size, bytes: await readParts(h, source.size, all, part) };
  }
  if (source instanceof Response) return { bytes: await readStream(h, source.body, all) };
  if (typeof source === 'string' || source instanceof URL) return readAddress(h, source, all);
  throw new TypeError('a source is bytes, a Blob, a Response, a URL or a path');
}

// What an error of the engine is about: the field at its offset, what is there and what should be.

const HEADS = ['stated', 'jsonLen', 'nTensors', 'end', 'layout', 'layers', 'rows'];
const FIGURES = ['offset', 'size', 'present', 'expected', 'min', 'max', 'mean', 'std', 'nan', 'inf', 'zero', 'subnormal'];
const BINS = 32;

function heads(h) {
  const view = h.view(h.x.mfn_web_head(), 8 * HEADS.length);
  return Object.fromEntries(HEADS.map((key, i) => [key, view.getFloat64(8 * i, true)]));
}

function rows(h, count) {
  const width = FIGURES.length + BINS;
  const all = new Float64Array(h.x.memory.buffer, h.x.mfn_web_rows(), count * width);
  return Array.from({ length: count }, (_, i) => all.subarray(i * width, (i + 1) * width));
}

function valueOf(bytes, offset, size) {
  if (size === 3 || offset === 0) return Array.from(bytes.subarray(offset, offset + size), (b) => b.toString(16).padStart(2, '0')).join('');
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[offset + i];
  return value;
}

// Of the file that mfn_web_scan saw last.
function place(h, code, offset, bytes, size) {
  const head = heads(h);
  if (code === 'E_TRUNCATED' || code === 'E_TRAILING') {
    const expected = head.stated < 0 ? PREFIX_SIZE : head.stated;
    return { path: code === 'E_TRAILING' ? 'trailing' : null, found: size, expected };
  }
  if (code === 'E_TENSOR_COUNT') return { path: 'n_tensors', found: head.nTensors, expected: head.layout };
  if (code === 'E_TENSOR_SIZE') {
    const all = rows(h, head.rows);
    const at = all.findIndex((r) => r[0] === offset);
    return at < 0 ? {} : { path: `tensors[${at}].size`, found: all[at][1], expected: all[at][3] };
  }
  const field = FIELDS.find(([, from, length]) => offset >= from && offset < from + length);
  if (!field || field[1] + field[2] > bytes.length) return {};
  const [path, from, length, legal] = field;
  return { path, found: valueOf(bytes, from, length), expected: code === 'E_SHAPE' ? null : legal };
}

function errorOf(h, at, bytes, size, source) {
  const view = h.view(at, 208);
  const status = view.getInt32(0, true);
  const offset = Number(view.getBigInt64(8, true));
  const made = h.error(status, { source, offset: offset < 0 ? null : offset }, h.text(at + 16, 192));
  return Object.assign(made, offset < 0 ? {} : place(h, made.code, offset, bytes, size));
}

// Structures of facex_mfn.h; scan.c asserts their places.

function ints(view, at, names) {
  return Object.fromEntries(names.map((name, i) => [name, view.getInt32(at + 4 * i, true)]));
}

function layerAt(h, at, own) {
  const view = h.view(at, 112);
  const out = {
    name: h.text(at, 40),
    ...ints(view, 40, ['cIn', 'cOut', 'kernel', 'stride', 'pad', 'groups']),
    sideIn: view.getInt32(64, true),
    sideOut: view.getInt32(72, true),
    act: view.getInt32(80, true) === 1,
    residual: view.getInt32(84, true) === 1,
    macs: Number(view.getBigUint64(88, true)),
  };
  if (own) Object.assign(out, { arithmetic: h.text(at + 96, 8), weightBytes: Number(view.getBigUint64(104, true)) });
  return out;
}

function infoAt(h, at, turned) {
  const view = h.view(at, 192);
  const [stages, ...rest] = ['n_stages', 'stemKernel', 'stemStride', 'stemChannels', 'blockChannels', 'finalChannels', 'embeddingDim', 'gdcKernel'];
  const numbers = ints(view, 0, [stages, ...rest]);
  return {
    isa: h.text(at + 136, 16),
    precision: PRECISIONS[view.getInt32(184, true)],
    ...Object.fromEntries(rest.map((name) => [name, numbers[name]])),
    stages: Array.from({ length: numbers[stages] }, (_, i) => ({
      t: view.getInt32(32 + 4 * i, true),
      n: view.getInt32(64 + 4 * i, true),
      s: view.getInt32(96 + 4 * i, true),
    })),
    layers: view.getInt32(128, true),
    ...Object.fromEntries(['macs', 'weightBytes', 'scratchBytes'].map((name, i) => [name, Number(view.getBigUint64(152 + 8 * i, true))])),
    turned: turned < 0 ? null : turned === 1,
  };
}

// Engines.

const forgotten = new FinalizationRegistry(({ h, engine, input }) => {
  h.x.mfn_engine_free(engine);
  h.x.free(engine);
  h.x.free(input);
});

export class Engine {
  #h;
  #held;
  #dim;

  constructor(h, engine) {
    this.#h = h;
    this.#dim = h.x.mfn_embedding_dim(engine);
    // The embedding's place follows the picture's.
    this.#held = { h, engine, input: h.take(4 * (PIXELS + this.#dim)) };
    forgotten.register(this, this.#held, this);
  }

  #engine() {
    if (!this.#held) throw this.#h.error(-17);
    return this.#held.engine;
  }

  get info() {
    const engine = this.#engine();
    return this.#h.lend(192, (at) => {
      this.#h.check(this.#h.x.mfn_engine_info(engine, at));
      return Object.freeze(infoAt(this.#h, at, this.#h.x.mfn_engine_turned(engine)));
    });
  }

  get layers() {
    const engine = this.#engine();
    const { layers } = this.info;
    return this.#h.lend(112, (at) =>
      Array.from({ length: layers }, (_, i) => {
        this.#h.check(this.#h.x.mfn_engine_layer(engine, i, at));
        return layerAt(this.#h, at, true);
      }),
    );
  }

  embed(picture) {
    if (picture?.length !== PIXELS) throw new TypeError(`a picture has ${PIXELS} values, not ${picture?.length}`);
    return this.batch(picture);
  }

  batch(pictures) {
    const engine = this.#engine();
    const { x } = this.#h;
    const { input } = this.#held;
    const floats = pictures instanceof Float32Array;
    if (!floats && !(pictures instanceof Uint8Array) && !(pictures instanceof Uint8ClampedArray))
      throw new TypeError('pictures are a Uint8Array of RGB pixels or a Float32Array of planes');
    if (pictures.length % PIXELS) throw new TypeError(`pictures have ${PIXELS} values each, not ${pictures.length}`);
    const count = pictures.length / PIXELS;
    const out = new Float32Array(count * this.#dim);
    const to = input + 4 * PIXELS;
    for (let i = 0; i < count; i++) {
      const one = pictures.subarray(i * PIXELS, (i + 1) * PIXELS);
      if (floats) new Float32Array(x.memory.buffer, input, PIXELS).set(one);
      else this.#h.bytes(input, PIXELS).set(one);
      const forward = floats ? x.mfn_engine_forward_batch : x.mfn_engine_forward_u8;
      this.#h.check(forward(engine, input, 1, to));
      out.set(new Float32Array(x.memory.buffer, to, this.#dim), i * this.#dim);
    }
    return out;
  }

  close() {
    if (!this.#held) return;
    const { h, engine, input } = this.#held;
    this.#held = null;
    forgotten.unregister(this);
    h.check(h.x.mfn_engine_free(engine));
    h.x.free(engine);
    h.x.free(input);
  }
}
if (Symbol.dispose) Engine.prototype[Symbol.dispose] = Engine.prototype.close;

const nameOf = (source) => (typeof source === 'string' || source instanceof URL ? String(source) : source?.name ?? null);

export async function open(source, { precision = 'f32', asGiven = false, row: name } = {}) {
  if (!PRECISIONS.includes(precision)) throw new TypeError(`precision is ${precision}, known are ${PRECISIONS.join(', ')}`);
  const h = await host(name);
  const { bytes, size = bytes.length } = await read(h, source, false);
  if (bytes.length > MOST) throw h.error(-19, { source: nameOf(source) });
  return h.lend(bytes.length, (data) => h.lend(28 + 4 + 208, (options) => {
    const view = h.view(options, 28);
    view.setInt32(8, asGiven ? 1 : 0, true);
    view.setInt32(12, PRECISIONS.indexOf(precision), true);
    const error = options + 32;
    const engine = h.take(16);
    if (!h.x.mfn_engine_init_memory(data, bytes.length, options, engine, error)) return new Engine(h, engine);
    h.x.free(engine);
    // What is there is told by a scan, which has the file's own size where only a part was read.
    h.check(h.x.mfn_web_scan(data, bytes.length, 0));
    throw errorOf(h, error, bytes, size, nameOf(source));
  }), bytes);
}

export async function scan(source, { row: name } = {}) {
  const h = await host(name);
  const { bytes } = await read(h, source, true);
  if (bytes.length > MOST) throw h.error(-19, { source: nameOf(source) });
  return h.lend(bytes.length, (data) => {
    h.check(h.x.mfn_web_scan(data, bytes.length, 1));
    return scanned(h, bytes, nameOf(source));
  }, bytes);
}

function scanned(h, bytes, source) {
  const head = heads(h);
  const error = h.x.mfn_web_error();
  const layers = h.lend(112, (at) => Array.from({ length: head.layers }, (_, i) => (h.x.mfn_web_layer(i, at), layerAt(h, at, false))));
  const names = layers.flatMap(tensorsOf(h));
  const fields = FIELDS.filter(([, offset, size]) => offset + size <= bytes.length)
    .map(([path, offset, size]) => ({ path, offset, size, value: valueOf(bytes, offset, size) }));
  return {
    size: bytes.length,
    error: h.view(error, 4).getInt32(0, true) ? errorOf(h, error, bytes, bytes.length, source) : null,
    fields,
    arch: layers.length ? archOf(fields) : null,
    layers,
    jsonLen: head.jsonLen < 0 ? null : head.jsonLen,
    mirror: head.jsonLen < 0 ? null : [PREFIX_SIZE, head.jsonLen],
    nTensors: head.nTensors < 0 ? null : head.nTensors,
    end: head.end,
    tensors: head.rows ? rows(h, head.rows).map((r, i) => tensor(r, i, names[i])) : [],
  };
}

const tensorsOf = (h) => (layer) =>
  Array.from({ length: layer.act ? 6 : 5 }, (_, i) => ({
    name: `${layer.name}.${h.text(h.x.mfn_web_suffix(i))}`,
    shape: i ? [layer.cOut] : [layer.cOut, layer.cIn / layer.groups, layer.kernel, layer.kernel],
  }));

function tensor(numbers, number, stands = { name: '', shape: [] }) {
  const out = { number, ...stands };
  FIGURES.forEach((key, i) => (out[key] = numbers[i]));
  out.dataOffset = out.offset + 4;
  out.histogram = Array.from(numbers.subarray(FIGURES.length));
  if (out.min > out.max) {
    Object.assign(out, { min: null, max: null, mean: null, std: null, histogram: [] });
  }
  return out;
}

function archOf(fields) {
  const value = Object.fromEntries(fields.map((f) => [f.path.replace('arch.', ''), f.value]));
  const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  const own = ['stem_kernel', 'stem_stride', 'stem_channels', 'block_channels', 'final_channels', 'embedding_dim', 'gdc_kernel'];
  return {
    ...Object.fromEntries(own.map((name) => [camel(name), value[name]])),
    stages: Array.from({ length: value.n_stages }, (_, i) =>
      Object.fromEntries(['t', 'n', 's'].map((key) => [key, value[`stages[${i}].${key}`]]))),
  };
}

export function rgb({ data }) {
  const out = new Uint8Array((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    out[to++] = data[from];
    out[to++] = data[from + 1];
    out[to++] = data[from + 2];
  }
  return out;
}

export function similarity(one, two) {
  if (one.length !== two.length || !one.length) throw new TypeError('two embeddings of one length');
  let sum = 0;
  for (let i = 0; i < one.length; i++) sum += one[i] * two[i];
  return Math.fround(sum);
}
