// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The first part of a file's view: the engine's verdict, the label, sizes, and coherence.

import { coherence, expectedSize } from './coherence.js';
import { declared } from './declared.js';
import { coded, count, el, foreign, part, table } from './dom.js';

/**
 * @typedef {import('./reader.js').Reading} Reading
 * @typedef {{ok: boolean, code: string, offset: number, text: string, isa?: string, ms: number}} Verdict
 */

/** @param {number} n */
const bytes = (n) => (n >= 1e6 ? `${(n / 1e6).toFixed(2)} MB` : n >= 1e3
  ? `${(n / 1e3).toFixed(1)} kB` : `${n} B`);

/**
 * The published network of these numbers, "custom", or "" where there is no arch.
 * @param {Reading} r
 */
export function sizeName(r) {
  const a = r.arch;
  if (!a) return '';
  const own = JSON.stringify([a.stem_channels, a.block_channels, a.final_channels, a.embedding_dim,
    a.gdc_kernel, a.stem_kernel, a.stem_stride, a.stages.map((s) => [s.t, s.n, s.s])]);
  const found = Object.entries(declared.sizes).find(([, s]) => JSON.stringify([s.stem, s.block,
    s.final, s.dim, s.gdc, s.kernel, s.stride, s.stages]) === own);
  return found ? found[0] : 'custom';
}

/** What a person may know of the engine's ways to compute here. @type {Record<string, string>} */
const KERNELS = { scalar: 'plain WebAssembly', wasmsimd: 'WebAssembly with SIMD', wasmrelaxed: 'WebAssembly with relaxed SIMD' };
/** @param {string | undefined} isa */
export const kernels = (isa = '') => KERNELS[isa] ?? isa;

/** What stands where its verdict will be, and takes as much room. */
export const asking = () => el('div', { class: 'verdict other' },
  el('p', { class: 'lead' }, 'The engine looks at it …'), el('p', {}, '\u00a0'));

/** Where the engine cannot be asked. @param {string} why */
export const noVerdict = (why) => el('div', { id: 'engine', class: 'verdict other' },
  el('p', { class: 'lead' }, 'The engine cannot be asked'), el('p', {}, foreign(why, 1000)),
  el('p', { class: 'fix' }, 'What to do: reload this page. Its network cannot be run until then; the report below does not need it.'));

/**
 * @param {Verdict} v
 * @param {boolean} ours  false for a file of another kind, of which Python says what it is
 */
export function engineSays(v, ours) {
  const words = v.ok ? ['The engine opens it']
    : [`The engine refuses it: ${v.code}`, v.offset >= 0 ? ` at byte ${count(v.offset)}` : ''];
  const known = ours && declared.engine[v.code];
  return el('div', { id: 'engine', class: `verdict ${v.ok ? 'good' : 'bad'}` },
    el('p', { class: 'lead' }, v.ok ? '✔ ' : '✘ ', ...words),
    el('p', {}, v.ok ? `in ${v.ms.toFixed(1)} ms, as ${kernels(v.isa)}`
      : coded(v.text)),
    !v.ok && known && el('p', { class: 'fix' }, coded(`${known.what} Fix: ${known.fix}`)));
}

/**
 * @param {Reading} r
 */
export function label(r) {
  /** @type {[string, import('./dom.js').Inner[]][]} */
  const rows = [];
  const size = sizeName(r);
  const own = r.mirror.name;
  if (size) {
    rows.push(['size', [size, ...(typeof own === 'string' && own && own !== size
      ? [' (calls itself ', foreign(own, 80), ')'] : [])]]);
    rows.push(['is', [`MobileFaceNet: ${declared.consts.inputChannels}×${declared.consts.inputSide}×`
      + `${declared.consts.inputSide} RGB face → ${r.arch?.embedding_dim} values`]]);
  }
  const meta = r.mirror.meta && typeof r.mirror.meta === 'object' ? r.mirror.meta : {};
  for (const key of Object.keys(declared.metaKeys)) {
    if (!Object.hasOwn(meta, key)) continue;
    const value = meta[key];
    rows.push([key, [foreign(typeof value === 'string' ? value : JSON.stringify(value), 300)]]);
  }
  const expected = expectedSize(r);
  rows.push(['file', [`${count(r.size)} bytes (${bytes(r.size)})`, expected !== undefined
    && expected !== r.size && el('strong', { class: 'bad' },
    ` — by its header ${count(expected)}: ${count(Math.abs(expected - r.size))} `
    + `${r.size > expected ? 'too many' : 'missing'}`)]]);
  if (r.arch) {
    const parameters = r.layers.reduce((n, x) => n + x.parameters, 0);
    const macs = r.layers.reduce((n, x) => n + x.macs, 0);
    rows.push(['weights', [`${count(parameters)} parameters, ${(macs / 1e6).toFixed(1)} million `
      + 'multiply-adds for a picture']]);
  }
  return part('label', 'What it is', el('dl', { class: 'facts' },
    ...rows.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, ...value)])));
}

/** @param {any} value */
const said = (value) => (value === undefined || value === null ? el('span', { class: 'none' }, '·')
  : typeof value === 'number' ? count(value) : foreign(JSON.stringify(value), 60));

/**
 * @param {import('./coherence.js').Fact[]} facts  of `coherence`, or of `efm3 inspect --json`
 */
export function sides(facts) {
  const wrong = facts.filter((f) => !f.agree).length;
  const rows = facts.map((f) => {
    const state = f.agree ? '' : 'bad';
    const cell = (/** @type {any} */ value) => el('td', { class: state }, said(value));
    return [f.path.replace(/^arch\./, ''), cell(f.header), cell(f.mirror), cell(f.table),
      el('span', { class: f.agree ? 'good' : 'bad' }, f.agree ? '✔' : '✘', el('span', { class: 'unseen' },
        f.agree ? ' they agree' : ' they differ'))];
  });
  return part('coherence', 'Header, mirror and table',
    facts.length > 0 && el('p', { class: 'soft' }, 'The header states the network in numbers, the mirror states it again as JSON, '
      + 'and the sizes in the table of tensors must fit both.'),
    el('p', {}, wrong ? `${wrong} of ${facts.length} facts ${wrong === 1 ? 'differs' : 'differ'} between the parts of the file.`
      : facts.length ? 'All that more than one part of the file states agrees.'
        : 'This file has no parts to compare.'),
    facts.length > 0 && table('Each fact by the header, the mirror and the table',
      ['fact', 'header', 'mirror', 'table', ''], rows, { class: 'numbers' }));
}

/** @param {Reading} r */
export const ownSides = (r) => sides(coherence(r));
