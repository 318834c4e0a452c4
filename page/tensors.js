// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The table's entries with their statistics, and a drawing of each one's values.

import { count, el, part, short, svg, table, tableRow, whenIdle } from './dom.js';

/** Rows that are there at once, and those that come once these are seen: a file may state thousands. */
const [FIRST, NEXT] = [24, 400];

/**
 * @typedef {{min: number | null, max: number | null, mean: number | null, std: number | null,
 *   nan: number, inf: number, histogram: number[]}} Statistics
 */

/** Where the engine cannot be asked. @type {Statistics} */
export const NONE = { min: null, max: null, mean: null, std: null, nan: 0, inf: 0, histogram: [] };

/** @param {number[]} counts */
export function bars(counts) {
  const most = Math.max(...counts, 1);
  // One path: a table has hundreds of these.
  const d = counts.map((n, i) => (n ? `M${4 * i} 20V${(20 - Math.max(1, (20 * n) / most)).toFixed(1)}h3.2V20z` : ''));
  return svg('svg', { viewBox: `0 0 ${4 * counts.length} 20`, class: 'bars', width: 4 * counts.length, height: 20,
    'aria-hidden': 'true', focusable: 'false' }, svg('path', { d: d.join('') }));
}

/**
 * @param {import('./reader.js').Tensor[]} tensors
 * @param {Statistics[]} statistics  of each of them
 * @param {(offset: number) => void} show  a byte of the file
 */
export function tensorTable(tensors, statistics, show) {
  /** @param {number} n */
  const row = (n) => {
    const [t, s] = [tensors[n], statistics[n]];
    const odd = [s.nan && `${count(s.nan)} NaN`, s.inf && `${count(s.inf)} infinite`]
      .filter(Boolean).join(', ');
    const whole = t.size === t.present && (!t.shape.length || t.size === 4 * t.shape.reduce((a, b) => a * b, 1));
    return [el('button', { type: 'button', class: 'link', onclick: () => show(t.at) },
      t.name || `entry ${t.number}`), count(t.at),
    whole ? t.shape.join('×') || `${count(t.size)} B`
      : el('strong', { class: 'bad' }, `${count(t.present)} of ${count(t.size)} B`),
    short(s.min), short(s.max), short(s.mean), short(s.std),
    odd ? el('strong', { class: 'bad' }, odd) : bars(s.histogram)];
  };
  const heads = ['tensor', 'byte', 'shape', 'min', 'max', 'mean', 'std', 'values, min to max'];
  const holder = el('div', { class: 'tall' }, table('The tensors with their statistics', heads,
    tensors.slice(0, FIRST).map((_, n) => row(n)), { class: 'numbers' }));
  const body = holder.querySelector('tbody:last-child');
  let there = Math.min(FIRST, tensors.length);
  /** The rows that are not there yet, as far as one. @param {number} to */
  const append = (to) => {
    body?.append(...tensors.slice(there, to).map((_, n) => tableRow(row(there + n))));
    there = Math.max(there, Math.min(to, tensors.length));
  };
  // The first view does not wait for rows that nobody sees yet.
  if (tensors.length > FIRST) whenIdle(() => append(NEXT));
  const more = tensors.length > NEXT && el('p', {}, el('button', { type: 'button',
    onclick: (/** @type {Event} */ e) => {
      append(tensors.length);
      /** @type {HTMLElement} */ (e.target).remove();
    } }, `Show all ${count(tensors.length)}`));
  return part('tensors', 'Tensors', el('p', {}, tensors.length
    ? `${count(tensors.length)} ${tensors.length === 1 ? 'entry' : 'entries'}; a name shows its bytes below.`
    : 'The file has no table that can be read.'), tensors.length > 0 && holder, more);
}
