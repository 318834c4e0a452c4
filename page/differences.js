// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Two files compared, by `efm3 diff`.

import { coded, count, el, foreign, many, part, short, table } from './dom.js';
import { python } from './workers.js';

/** Rows that are shown of a list; two files may differ in thousands of places. */
const MOST = 400;

/** @param {any} value */
const said = (value) => (value === null ? el('span', { class: 'none' }, '·')
  : foreign(typeof value === 'string' ? value : JSON.stringify(value), 80));

/** @param {any[]} rows @param {string} title @param {string[]} heads @param {(row: any) => any[]} cells */
const listed = (rows, title, heads, cells) => rows.length > 0 && el('div', {}, el('h3', {}, title),
  el('div', { class: rows.length > 12 && 'tall' }, table(title, heads, rows.slice(0, MOST).map(cells),
    { class: heads.length > 3 ? 'numbers' : 'numbers plain' })),
  rows.length > MOST && el('p', {}, `and ${count(rows.length - MOST)} more`));

/**
 * @param {any} d  of `efm3 diff --json`
 */
function shown(d) {
  const off = d.tensors.filter((/** @type {any} */ t) => t.state !== 'identical');
  return [el('p', { class: 'lead' }, d.identical ? 'The two files have the same bytes.'
    : `They differ: ${many(d.header.length, 'field')} of the header, ${many(d.mirror.length, 'key')} of the mirror, `
      + `${count(off.length)} of ${many(d.tensors.length, 'tensor')}.`),
  d.elsewhere && el('p', {}, 'They differ in bytes that belong to none of these: white space of the mirror, or a tail.'),
  listed(d.header, 'Header', ['field', 'A', 'B'], (c) => [foreign(c.path), said(c.a), said(c.b)]),
  listed(d.mirror, 'Mirror', ['key', 'A', 'B'], (c) => [foreign(c.path, 120), said(c.a), said(c.b)]),
  listed(off, 'Tensors', ['tensor', 'state', 'values', 'differing', 'not finite', 'largest difference', 'in ULP', 'cosine'],
    (t) => [foreign(t.name), t.state, count(t.count), count(t.differing),
      t.non_finite ? count(t.non_finite) : '', short(t.max_abs),
      t.max_ulp === null ? '' : count(t.max_ulp), t.cosine === null ? '' : t.cosine.toFixed(6)])];
}

/**
 * The part that compares any two of these files.
 * @param {import('./file-view.js').FileView[]} views  at least two
 * @returns {{node: HTMLElement, run: () => Promise<void>}}
 */
export function differences(views) {
  const result = el('div', { id: 'diff', 'aria-live': 'polite' });
  const [a, b] = [0, 1].map((n) => {
    const chosen = el('select', { id: `side-${'ab'[n]}`, onchange: () => run() },
      ...views.map((v, i) => el('option', { value: i }, `${i + 1}: `, foreign(v.name, 60).textContent)));
    chosen.value = String(n);
    return chosen;
  });
  async function run() {
    const [x, y] = [views[Number(a.value)], views[Number(b.value)]];
    if (!x.held || !y.held) return;
    const other = [x, y].filter((v) => !v.ours);
    if (other.length) {
      result.replaceChildren(el('p', {}, 'There is nothing to compare: ', ...other.flatMap((v, n) => [n ? ' and ' : '',
        foreign(v.name, 60)]), other.length > 1 ? ' are no EFM3 files.' : ' is no EFM3 file.'));
      return;
    }
    result.replaceChildren(el('p', { class: 'soft' }, 'Comparing …'));
    try {
      const { out, err } = await python.ask('run', { words: ['diff', '--json', '--', x.held, y.held] });
      result.replaceChildren();
      if (out) result.append(...shown(JSON.parse(out)).filter((n) => n instanceof Node));
      else result.append(el('p', { class: 'bad' }, coded(err.trim().replace(/^efm3: /, ''), 1000)));
    } catch (e) {
      result.replaceChildren(el('p', { class: 'bad' }, foreign(e instanceof Error ? e.message : String(e))));
    }
  }
  const node = part('differences', 'Compared', el('p', { class: 'pair' },
    el('span', {}, el('label', { for: 'side-a' }, 'A '), a), ' ', el('span', {}, el('label', { for: 'side-b' }, 'B '), b)), result);
  return { node, run };
}
