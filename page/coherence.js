// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The network's shape from three sources: the header, the mirror, the sizes of the table.

import { declared } from './declared.js';

const { consts: C } = declared;
/** Tensors before the blocks, of a block, and behind the blocks. */
const [HEAD, BLOCK, TAIL] = [12, 17, 16];

/**
 * @typedef {{path: string, header: any, mirror: any, table: any, agree: boolean}} Fact
 * @typedef {import('./reader.js').Reading} Reading
 */

/**
 * Every fact that more than one part of the file may state; undefined is not stated.
 * @param {Reading} r
 * @returns {Fact[]}
 */
export function coherence(r) {
  if (r.values.get('magic') !== C.magic && !r.arch) return [];
  const found = fromTable(r);
  const stages = Array.isArray(r.mirror.stages) ? r.mirror.stages : [];
  const own = Number(r.values.get('arch.n_stages') ?? 0);
  const used = Math.max(...[own, stages.length, found.get('n_stages') ?? 0].map(
    (n) => Math.min(n, C.stageSlots)));
  /** @type {Map<string, any>} */
  const told = new Map(declared.mirrorKeys.filter((k) => k !== 'stages' && Object.hasOwn(r.mirror, k))
    .map((k) => [k, r.mirror[k]]));
  if (stages.length) told.set('n_stages', stages.length);
  stages.slice(0, C.stageSlots).forEach((stage, i) => {
    if (!stage || typeof stage !== 'object' || Array.isArray(stage)) return;
    for (const k of 'tns') if (Object.hasOwn(stage, k)) told.set(`stages[${i}].${k}`, stage[k]);
  });
  const names = ['n_stages', 'stem_kernel', 'stem_stride', 'stem_channels', 'block_channels',
    'final_channels', 'embedding_dim', 'gdc_kernel'];
  for (let i = 0; i < used; i++) for (const k of 'tns') names.push(`stages[${i}].${k}`);
  const rows = names.map((n) => {
    const beyond = n.startsWith('stages[') && Number(n[7]) >= own;
    return fact(`arch.${n}`, beyond ? undefined : r.values.get(`arch.${n}`), told.get(n),
      found.get(n));
  });
  rows.push(fact('n_tensors', r.arch ? layoutLength(r) : undefined, undefined,
    r.nTensors ?? undefined));
  rows.push(fact('bytes', expectedSize(r), undefined, r.size));
  return rows;
}

/** @param {Reading} r */
const layoutLength = (r) => r.layers.reduce((n, x) => n + 1 + C.bnTensors.length + Number(x.act), 0);

/**
 * Bytes of a file of this header; undefined where it states none.
 * @param {Reading} r
 */
export function expectedSize(r) {
  if (!r.arch || r.jsonLen === null) return undefined;
  const values = r.layers.reduce((n, x) => n + x.parameters + 2 * x.shape[0], 0);
  return C.prefixSize + r.jsonLen + C.countSize + C.countSize * layoutLength(r) + 4 * values;
}

/**
 * @param {string} path
 * @param {any} header
 * @param {any} mirror
 * @param {any} table
 * @returns {Fact}
 */
function fact(path, header, mirror, table) {
  const known = [header, mirror, table].filter((v) => v !== undefined && v !== null);
  return { path, header, mirror, table,
    agree: known.every((v) => Number.isInteger(v) && v === known[0]) };
}

/**
 * What the sizes alone say, by the header's field below `arch.`.
 * @param {Reading} r
 * @returns {Map<string, number>}
 */
function fromTable(r) {
  /** @type {Map<string, number>} */
  const out = new Map();
  const counts = new Map(r.tensors.filter((t) => t.size && t.size % 4 === 0)
    .map((t) => [t.number, t.size / 4]));
  /** @param {string} key @param {number | undefined} value */
  const put = (key, value) => { if (value !== undefined) out.set(key, value); };
  const stem = counts.get(1);
  put('stem_channels', stem);
  put('stem_kernel', kernel(counts.get(0), (stem ?? 0) * C.inputChannels));
  const rest = (r.nTensors ?? 0) - HEAD - TAIL;
  if (rest < 0 || rest % BLOCK) return out;
  const tail = HEAD + rest;
  put('final_channels', counts.get(tail + 1));
  put('gdc_kernel', kernel(counts.get(tail + 6), counts.get(tail + 1) ?? 0));
  put('embedding_dim', counts.get(tail + 12));
  const blocks = blocksOf(counts, rest / BLOCK);
  if (blocks.length && blocks.length === rest / BLOCK) {
    const runs = stagesOf(r, blocks);
    put('n_stages', runs.length);
    if (runs.length > 1) put('block_channels', blocks[blocks.length - 1].out);
    runs.forEach(({ t, n }, i) => { put(`stages[${i}].t`, t); put(`stages[${i}].n`, n); });
  }
  return out;
}

/**
 * k where `weights` = filters x k x k.
 * @param {number | undefined} weights
 * @param {number} filters
 */
function kernel(weights, filters) {
  if (!weights || !filters || weights % filters) return undefined;
  const k = Math.round(Math.sqrt(weights / filters));
  return k * k * filters === weights ? k : undefined;
}

/**
 * @param {Map<number, number>} counts
 * @param {number} n
 */
function blocksOf(counts, n) {
  /** @type {{t: number, out: number}[]} */
  const blocks = [];
  let c = counts.get(1);
  // A table states any number of entries; those of which there is no size end this at once.
  for (let i = 0; i < n; i++) {
    const at = HEAD + BLOCK * i;
    const [wide, out] = [counts.get(at + 1), counts.get(at + 13)];
    if (!c || !wide || !out || wide % c) break;
    blocks.push({ t: wide / c, out });
    c = out;
  }
  return blocks;
}

/**
 * A stage shows where t or the channels change; of neighbours that are alike the header's division
 * is kept where the blocks allow it.
 * @param {Reading} r
 * @param {{t: number, out: number}[]} blocks
 */
function stagesOf(r, blocks) {
  const used = Math.min(Number(r.values.get('arch.n_stages') ?? 0), C.stageSlots);
  const cut = [];
  let at = 0;
  for (let i = 0; i < used; i++) {
    const n = Number(r.values.get(`arch.stages[${i}].n`) ?? 0);
    cut.push(blocks.slice(at, at + n));
    at += n;
  }
  /** @param {{t: number, out: number}} a @param {{t: number, out: number}} b */
  const alike = (a, b) => a.t === b.t && a.out === b.out;
  if (at === blocks.length && cut.every((p) => p.length && p.every((b) => alike(b, p[0])))) {
    return cut.map((p) => ({ t: p[0].t, n: p.length }));
  }
  /** @type {{t: number, n: number, first: {t: number, out: number}}[]} */
  const runs = [];
  for (const b of blocks) {
    const last = runs[runs.length - 1];
    if (last && alike(last.first, b)) last.n++;
    else runs.push({ t: b.t, n: 1, first: b });
  }
  return runs;
}
