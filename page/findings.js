// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The validator's report: what is wrong, where, and how to mend it.

import { coded, count, el, foreign, part } from './dom.js';
import { facts, python } from './workers.js';

/** Findings that are there at once; a report may have many. */
const FIRST = 100;
/** Where the page of a code is, seen from this page: the two folders lie side by side. */
const CODES = '../docs/codes/';

/**
 * @typedef {{code: string, severity: string, message: string, offset: number | null,
 *   length: number | null, path: string, found: string, expected: string, hint: string}} Finding
 * @typedef {{ok: boolean, unreadable: string, level: string, counts: Record<string, number>,
 *   findings: Finding[]}} Report
 */

/** @param {string} code */
function explained(code) {
  const text = el('pre', { class: 'explained' }, '…');
  let asked = false;
  return el('details', { ontoggle: async (/** @type {Event} */ e) => {
    if (asked || !/** @type {HTMLDetailsElement} */ (e.target).open) return;
    asked = true;
    try {
      text.textContent = (await python.ask('run', { words: ['explain', code] })).out;
    } catch (why) {
      text.textContent = why instanceof Error ? why.message : String(why);
    }
  } }, el('summary', {}, `Why ${code}?`), text,
  el('p', {}, el('a', { href: `${CODES}${code}/` }, `The page of ${code}`)));
}

/**
 * @param {Finding} f
 * @param {(offset: number) => void} show
 */
function item(f, show) {
  const place = f.offset === null ? null : el('button', { type: 'button', class: 'link',
    onclick: () => show(f.offset ?? 0) }, `byte ${count(f.offset)}`);
  return el('li', { class: `finding ${f.severity}` },
    el('p', { class: 'lead' }, el('strong', { class: 'code' }, `${f.severity} ${f.code}`), ' ',
      foreign(f.path || 'file', 120), place && ' ', place),
    el('p', {}, coded(f.message)),
    f.found && f.expected && el('p', { class: 'soft' }, 'found ', foreign(f.found, 120), ', expected ',
      foreign(f.expected, 120)),
    f.severity !== 'info' && el('p', { class: 'fix' }, 'Fix: ', coded(f.hint)), explained(f.code));
}

/** @param {Report} r */
export function verdictOf(r) {
  if (r.unreadable) return 'It cannot be read';
  const counts = ['error', 'warning', 'info'].filter((s) => r.counts[s]).map(
    (s) => `${count(r.counts[s])} ${s}${s !== 'info' && r.counts[s] > 1 ? 's' : ''}`);
  return (r.ok ? 'Valid' : 'Invalid') + (counts.length ? `: ${counts.join(', ')}` : ': no findings');
}

/** What stands where the report will be. */
export const waiting = () => part('findings', 'The validator\'s report',
  el('p', { class: 'soft' }, 'Python is on its way: the first time some 20 MB come with it …'));

/** @param {string} why */
export const missing = (why) => part('findings', 'The validator\'s report',
  el('p', { class: 'bad' }, 'There is no report: ', foreign(why, 1000)),
  el('p', { class: 'fix' }, 'What to do: reload this page. On a machine with Python ', el('code', {}, 'efm3 validate FILE'),
    ' gives the same report.'));

/**
 * @param {Report} r
 * @param {number} ms
 * @param {(offset: number) => void} show
 * @param {import('./dom.js').Inner[]} more  behind the findings
 */
export function findings(r, ms, show, ...more) {
  const list = el('ol', { class: 'findings' });
  /** @param {Finding[]} some */
  const append = (some) => list.append(...some.map((f) => item(f, show)));
  append(r.findings.slice(0, FIRST));
  const rest = r.findings.slice(FIRST);
  return part('findings', 'The validator\'s report',
    el('div', { id: 'report', class: `verdict ${r.ok ? 'good' : 'bad'}` },
      el('p', { class: 'lead' }, r.ok ? '✔ ' : '✘ ', verdictOf(r)),
      el('p', {}, `${count(facts.rules)} rules up to level ${r.level}, in ${count(Math.ceil(ms))} ms, by `
        + `efm3 ${facts.version}`),
      r.unreadable && el('p', {}, foreign(r.unreadable))),
    list, rest.length > 0 && el('p', {}, el('button', { type: 'button', onclick: (/** @type {Event} */ e) => {
      append(rest);
      /** @type {HTMLElement} */ (e.target).remove();
    } }, `Show ${count(rest.length)} more`)), ...more);
}
