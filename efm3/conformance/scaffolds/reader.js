#!/usr/bin/env node
// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// An EFM3 reader to start from, levels `structure` and `coherence`; Node 18 or newer, no packages.
//
//     node reader.js FILE      prints the document; exit code 1 where FILE is refused
//     node reader.js           the same for standard input
//     node reader.js --lines   answers the lines protocol
//
// The variable EFM3_LEVEL holds the level. Put your own reader in the place of `read`.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const readline = require('readline');

// The file breaks a rule; the message starts with the rule's code.
class Refused extends Error {}

function need(ok, reason) {
  if (!ok) throw new Refused(reason);
}

// The document of a file's bytes, a Buffer.
function read(data, level = 'structure') {
  need(data.length >= 92, 'C004: the file ends inside its first 92 bytes');
  need(data.toString('latin1', 0, 4) === 'EFM3', 'C002: the file does not start with EFM3');
  need(data.readUInt32LE(4) === 3, 'C003: the version is not 3');
  const arch = readArch(data);
  const layout = tensorLayout(arch);

  const jsonLen = data.readUInt32LE(88);
  need(jsonLen <= 1 << 20, 'C005: json_len is over 1 MiB');
  need(jsonLen <= data.length - 92, 'C006: the mirror reaches past the end of the file');
  const text = data.subarray(92, 92 + jsonLen);
  let at = 92 + jsonLen;
  need(data.length - at >= 4, 'C007: the file ends before the whole tensor count');
  need(data.readUInt32LE(at) === layout.length, `T001: the layout has ${layout.length} tensors`);
  at += 4;
  const table = at;
  const tensors = [];
  for (const [name, shape] of layout) {
    need(data.length - at >= 4, `T013: the file ends before the size of ${name}`);
    const size = data.readUInt32LE(at);
    need(size === 4 * shape.reduce((a, b) => a * b), `T002: ${name} has not its shape's size`);
    at += 4;
    need(size <= data.length - at, `T012: the file ends inside ${name}`);
    tensors.push({
      name: tag('string', name),
      shape: shape.map((n) => tag('u32', n)),
      offset: tag('u64', at),
      first: tag('f32', hex(data.readUInt32LE(at))),
      last: tag('f32', hex(data.readUInt32LE(at + size - 4))),
      crc32: tag('crc32', crc32(data.subarray(at, at + size))),
    });
    at += size;
  }
  need(at === data.length, 'T014: bytes follow the last tensor');

  const document = {
    version: tag('u32', 3),
    arch: {},
    mirror: {
      offset: tag('u32', 92), length: tag('u32', jsonLen), crc32: tag('crc32', crc32(text)),
    },
    tensors,
  };
  for (const [key, value] of Object.entries(arch)) {
    if (key === 'stages') continue;
    document.arch[key] = tag(/channels|dim/.test(key) ? 'u16' : 'u8', value);
  }
  document.arch.stages = arch.stages.map(
    ({ t, n, s }) => ({ t: tag('u8', t), n: tag('u8', n), s: tag('u8', s) }));
  if (level !== 'structure') {
    const mirror = parse(text);
    checkMirror(mirror, arch, data.subarray(table));
    document.json = tagged(mirror);
  }
  return document;
}

// The 80 bytes of the arch header, which start at byte 8.
function readArch(data) {
  const a = {
    hdr_version: data[8], n_stages: data[9], stem_kernel: data[10], stem_stride: data[11],
    stem_channels: data.readUInt16LE(12), block_channels: data.readUInt16LE(14),
    final_channels: data.readUInt16LE(16), embedding_dim: data.readUInt16LE(18),
    gdc_kernel: data[20], stages: [],
  };
  need(a.hdr_version === 1, 'H001: hdr_version is not 1');
  need(data[21] === 0 && data[22] === 0 && data[23] === 0, 'H002: a pad byte is not zero');
  need(a.n_stages >= 1 && a.n_stages <= 8, 'H003: n_stages is not 1..8');
  need(a.stem_kernel % 2 === 1 && a.stem_kernel <= 15, 'H004: stem_kernel is not odd, 1..15');
  need(a.stem_stride >= 1 && a.stem_stride <= 4, 'H005: stem_stride is not 1..4');
  need(a.stem_channels >= 1, 'H006: stem_channels is 0');
  need(a.block_channels >= 1, 'H007: block_channels is 0');
  need(a.final_channels >= 1, 'H008: final_channels is 0');
  need(a.embedding_dim >= 1, 'H009: embedding_dim is 0');
  let blocks = 0;
  let side = Math.floor((112 + 2 * ((a.stem_kernel - 1) / 2) - a.stem_kernel) / a.stem_stride) + 1;
  for (let i = 0; i < 8; i++) {
    const record = data.subarray(24 + 8 * i, 32 + 8 * i);
    const [t, n, s] = record;
    if (i >= a.n_stages) {
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
    a.stages.push({ t, n, s });
  }
  need(blocks <= 256, 'H014: more than 256 blocks');
  need(a.gdc_kernel === side, `H016: gdc_kernel is not ${side}, the last map's side`);
  return a;
}

// [name, shape] of every tensor, in stored order.
function tensorLayout(arch) {
  const layout = [];
  function layer(name, out, perGroup, kernel, act = true) {
    layout.push([`${name}.conv.w`, [out, perGroup, kernel, kernel]]);
    layout.push([`${name}.bn.w`, [out]]);
    layout.push([`${name}.bn.b`, [out]]);
    layout.push([`${name}.bn.mean`, [out]]);
    layout.push([`${name}.bn.var`, [out]]);
    if (act) layout.push([`${name}.act.w`, [out]]);
  }
  let c = arch.stem_channels;
  layer('stem', c, 3, arch.stem_kernel);
  layer('dw_stem', c, 1, 3);
  arch.stages.forEach((stage, i) => {
    const out = i === 0 ? arch.stem_channels : arch.block_channels;
    for (let j = 0; j < stage.n; j++) {
      const block = `stage${i + 1}.block${j}`;
      const wide = c * stage.t;
      need(wide <= 65535, `H015: stage ${i + 1} expands to ${wide} channels`);
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

// Level coherence: the JSON mirror. Objects become Maps, numbers keep their text.

class JsonNumber {
  constructor(text) {
    this.text = text;
    this.integer = /^-?\d+$/.test(text);
  }

  is(value) {
    return this.integer && BigInt(this.text) === BigInt(value);
  }
}

// The mirror's closed grammar: what JSON parsers disagree on is refused.
function parse(bytes) {
  need(bytes.some((byte) => byte !== 0x20), 'M001: the mirror is empty');
  need(bytes.toString('latin1', 0, 3) !== '\xef\xbb\xbf', 'M002: a byte order mark');
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused('M003: the mirror is not UTF-8');
  }
  let at = 0;
  let depth = 0;
  const syntax = () => { throw new Refused(`M011: no JSON at character ${at}`); };

  function token(pattern) { // a sticky pattern
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found && found[0];
  }
  const space = () => token(/[ \t\r\n]*/y);

  function string() {
    const raw = token(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y) || syntax();
    const value = JSON.parse(raw);
    need(!value.includes('\0'), 'M008: a NUL character');
    need(!/[\ud800-\udfff]/u.test(value), 'M009: a lone surrogate');
    return value;
  }

  function list(close, item) { // what stands between brackets, with commas
    need(++depth <= 16, 'M004: nested deeper than 16');
    at++;
    space();
    if (text[at] !== close) {
      do {
        space();
        item();
        space();
      } while (token(/,/y));
    }
    if (text[at++] !== close) syntax();
    depth--;
  }

  function value() {
    if (text[at] === '"') return string();
    if (text[at] === '{') {
      const object = new Map();
      list('}', () => {
        const key = string();
        need(!object.has(key), 'M005: a key stands twice');
        space();
        token(/:/y) || syntax();
        space();
        object.set(key, value());
      });
      return object;
    }
    if (text[at] === '[') {
      const array = [];
      list(']', () => array.push(value()));
      return array;
    }
    need(!token(/NaN|-?Infinity/y), 'M006: NaN or an infinity');
    const word = token(/true|false|null/y);
    if (word) return JSON.parse(word);
    const number = new JsonNumber(
      token(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y) || syntax());
    need(!number.integer || number.text.replace('-', '').length <= 20,
      'M007: an integer of more than 20 digits');
    need(Number.isFinite(Number(number.text)), 'M007: a number overflows a double');
    return number;
  }

  space();
  const mirror = value();
  need(/^ *$/.test(text.slice(at)), 'M010: something follows the JSON object');
  need(mirror instanceof Map, 'M012: the mirror is not an object');
  return mirror;
}

const KEYS = ['name', 'width_mult', 'stem_channels', 'block_channels', 'final_channels',
  'embedding_dim', 'gdc_kernel', 'stages'];

// The mirror agrees with the header, and its digest with the table.
function checkMirror(mirror, arch, table) {
  for (const key of KEYS) {
    need(mirror.has(key), `M020: the mirror has no ${key}`);
    const value = mirror.get(key);
    if (key === 'name') {
      need(typeof value === 'string', 'M021: name is no string');
    } else if (key === 'stages') {
      need(Array.isArray(value), 'M021: stages is no array');
    } else {
      need(value instanceof JsonNumber, `M021: ${key} is no number`);
      if (key === 'width_mult') continue;
      need(value.integer, `M021: ${key} is no integer`);
      need(value.is(arch[key]), `M022: ${key} is not the header's`);
    }
  }
  need(Number(mirror.get('width_mult').text) > 0, 'M026: width_mult is not above zero');
  const stages = mirror.get('stages');
  need(stages.length === arch.n_stages, 'M023: another number of stages');
  stages.forEach((stage, i) => {
    need(stage instanceof Map && stage.size === 3, 'M024: a stage is not t, n, s');
    for (const key of ['t', 'n', 's']) {
      const value = stage.get(key);
      need(value instanceof JsonNumber && value.integer, 'M024: a stage is not t, n, s');
      need(value.is(arch.stages[i][key]), `M025: ${key} of a stage is not the header's`);
    }
  });
  const meta = mirror.has('meta') ? mirror.get('meta') : new Map();
  need(meta instanceof Map, 'M040: meta is not an object');
  if (meta.has('sha256')) {
    const digest = meta.get('sha256');
    need(typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest),
      'M041: the digest is not 64 lower-case hex digits');
    need(digest === crypto.createHash('sha256').update(table).digest('hex'),
      "M042: the digest is not the table's");
  }
  need(!meta.has('picture') || ['upright', 'turned-180'].includes(meta.get('picture')),
    'M043: meta.picture is unknown');
}

// The document.

function tag(type, value) {
  return { type, value: String(value) };
}

function hex(u32) {
  return u32.toString(16).padStart(8, '0');
}

const CRC = Uint32Array.from({ length: 256 }, (_, i) => {
  for (let k = 0; k < 8; k++) i = i & 1 ? 0xedb88320 ^ (i >>> 1) : i >>> 1;
  return i;
});

function crc32(bytes) {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = CRC[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return hex(~crc >>> 0);
}

// A parsed JSON value with every leaf tagged.
function tagged(value) {
  if (value instanceof Map) {
    const object = Object.create(null); // __proto__ is a key as any other
    for (const [key, inner] of value) object[key] = tagged(inner);
    return object;
  }
  if (Array.isArray(value)) return value.map(tagged);
  if (value instanceof JsonNumber) return tag(value.integer ? 'integer' : 'number', value.text);
  if (value === null) return tag('null', '');
  return tag(typeof value === 'boolean' ? 'bool' : 'string', value);
}

// What the kit talks to.

const HELLO = {
  version: 1,
  ready: true,
  implementation: {
    name: 'my-reader', version: '0.1', language: 'javascript', classes: ['reader'],
    levels: ['structure', 'coherence'],
  },
};

// The answer to a line of the lines protocol.
function answer(ask) {
  if (ask.cmd === 'start') return HELLO;
  try {
    return { seq: ask.seq, ok: true, document: read(fs.readFileSync(ask.file), ask.level) };
  } catch (e) {
    if (e instanceof Refused) return { seq: ask.seq, ok: false, reason: e.message };
    return { seq: ask.seq, error: String(e) };
  }
}

async function main([file]) {
  if (file === '--lines') {
    for await (const line of readline.createInterface({ input: process.stdin })) {
      const ask = JSON.parse(line);
      if (ask.cmd === 'stop') break;
      process.stdout.write(`${JSON.stringify(answer(ask))}\n`);
    }
    process.stdin.destroy();
    return;
  }
  try {
    const document = read(fs.readFileSync(file || 0), process.env.EFM3_LEVEL);
    process.stdout.write(`${JSON.stringify(document)}\n`);
  } catch (e) {
    if (!(e instanceof Refused)) throw e;
    console.error(e.message);
    process.exitCode = 1;
  }
}

main(process.argv.slice(2)).catch((e) => {
  console.error(e); // Node ends with 1 on its own, and 1 would say refused
  process.exitCode = 70;
});
