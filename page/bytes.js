// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The bytes with the field that each belongs to, and the fields with their bytes.

import { count, el, foreign, part } from './dom.js';

const WIDTH = 16;
const ROWS = 24;
const PAGE = WIDTH * ROWS;
/** Fields that stand in the list at once. */
const LISTED = 300;

/**
 * @typedef {import('./reader.js').Field} Field
 */

/** The field that a byte is in: the fields lie one behind the other.
 * @param {Field[]} fields
 * @param {number} offset
 */
export function fieldAt(fields, offset) {
  let [low, high] = [0, fields.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (fields[middle].offset <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * What a byte means, in words.
 * @param {Uint8Array} bytes
 * @param {Field | undefined} f
 * @param {number} offset
 */
function words(bytes, f, offset) {
  const at = `byte ${count(offset)} (0x${offset.toString(16)})`;
  if (!f) return `${at} is ${bytes[offset]}`;
  if (f.path.endsWith('.data')) {
    const n = Math.floor((offset - f.offset) / 4);
    const start = f.offset + 4 * n;
    const whole = start + 4 <= f.offset + f.length;
    const value = whole ? new DataView(bytes.buffer, bytes.byteOffset + start, 4)
      .getFloat32(0, true) : null;
    return `${at}: ${f.path}, ${f.doc}, value ${count(n)}`
      + (value === null ? ', cut off' : ` = ${value}`);
  }
  return `${at}: ${f.path}` + (f.value === null ? '' : ` = ${f.value}`) + `. ${f.doc}`;
}

/**
 * @param {Uint8Array} bytes
 * @param {Field[]} fields  none for a file of another kind, whose bytes have no names here
 * @returns {{node: HTMLElement, show: (offset: number, focus?: boolean) => void}}
 */
export function hexView(bytes, fields) {
  let first = 0;
  let here = 0;
  const meaning = el('p', { id: 'meaning', class: 'meaning' });
  const grid = el('div', { class: 'hex', role: 'application', tabindex: 0,
    'aria-label': 'Bytes: arrow keys move, Page Up and Page Down turn the page',
    'aria-describedby': 'meaning' });
  const list = el('ul', { class: 'fields', 'aria-label': 'Fields' });
  const sought = el('input', { type: 'text', id: 'sought', class: 'sought', autocomplete: 'off',
    spellcheck: 'false', placeholder: 'byte, or part of a name' });
  // Chromium asks a server how to fill in what a new text field is for: there is none until it is
  // wanted, and looking at a file stays between the user and the page.
  const finder = el('div', { class: 'finder' }, el('button', { type: 'button', id: 'find',
    onclick: () => {
      finder.replaceChildren(el('label', { for: 'sought' }, 'Find '), sought);
      sought.focus();
    } }, 'Find a byte or a field …'));

  /** @param {number} offset */
  function cells(offset) {
    const end = Math.min(offset + WIDTH, bytes.length);
    const row = el('div', { class: 'line' },
      el('span', { class: 'offset' }, offset.toString(16).padStart(6, '0')));
    for (let i = offset; i < end; i++) {
      const n = fieldAt(fields, i);
      row.append(el('span', { class: `byte shade${n % 2}${i === here ? ' here' : ''}${
        fields.length && n === fieldAt(fields, here) ? ' same' : ''}`, 'data-byte': i },
      bytes[i].toString(16).padStart(2, '0')));
    }
    const text = Array.from(bytes.subarray(offset, end),
      (b) => (b > 31 && b < 127 ? String.fromCharCode(b) : '·')).join('');
    for (let i = end; i < offset + WIDTH; i++) row.append(el('span', { class: 'byte gap' }, '  '));
    row.append(el('span', { class: 'text' }, text));
    return row;
  }

  /** @param {number} from  of the fields that are listed */
  function listed(from) {
    const named = sought.value.trim().toLowerCase();
    const offset = /^(0x[0-9a-f]+|[0-9]+)$/.test(named) ? Number(named) : null;
    /** @type {number[]} */
    const chosen = [];
    if (named && offset === null) {
      for (let n = 0; n < fields.length && chosen.length < LISTED; n++) {
        const f = fields[n];
        if (`${f.path} ${f.doc}`.toLowerCase().includes(named)) chosen.push(n);
      }
    } else {
      for (let n = Math.max(0, from - 20); n < Math.min(fields.length, from + 60); n++) chosen.push(n);
    }
    const current = fieldAt(fields, here);
    list.replaceChildren(...chosen.map((n) => el('li', {}, el('button', { type: 'button',
      class: `link${n === current ? ' here' : ''}`, 'aria-current': n === current ? 'true' : false,
      onclick: () => show(fields[n].offset) },
    fields[n].path, el('small', {}, ` ${count(fields[n].offset)}+${count(fields[n].length)}`)))));
    const marked = list.querySelector('.here');
    if (marked instanceof HTMLElement) list.scrollTop = marked.offsetTop - list.clientHeight / 2;
  }

  /**
   * @param {number} offset
   * @param {boolean} [focus]
   */
  function show(offset, focus = false) {
    if (!bytes.length) return;
    here = Math.max(0, Math.min(offset, bytes.length - 1));
    if (here < first || here >= first + PAGE) first = Math.max(0, here - (here % WIDTH) - 4 * WIDTH);
    const lines = [];
    for (let at = first; at < Math.min(first + PAGE, bytes.length); at += WIDTH) lines.push(cells(at));
    grid.replaceChildren(...lines);
    const n = fieldAt(fields, here);
    meaning.replaceChildren(foreign(words(bytes, fields[n], here), 300));
    listed(n);
    if (focus) {
      grid.focus({ preventScroll: true });
      node.scrollIntoView({ block: 'start', behavior: 'auto' });
    }
  }

  /** @type {Record<string, number>} */
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: WIDTH, ArrowUp: -WIDTH, PageDown: PAGE,
    PageUp: -PAGE };
  grid.addEventListener('keydown', (e) => {
    const to = e.key === 'Home' ? 0 : e.key === 'End' ? bytes.length - 1 : here + (steps[e.key] ?? 0);
    if (to === here && !(e.key in steps)) return;
    e.preventDefault();
    show(to);
  });
  grid.addEventListener('click', (e) => {
    const at = e.target instanceof HTMLElement ? e.target.dataset.byte : undefined;
    if (at !== undefined) show(Number(at));
  });
  sought.addEventListener('input', () => {
    const text = sought.value.trim();
    if (/^(0x[0-9a-f]+|[0-9]+)$/i.test(text)) show(Number(text));
    else listed(fieldAt(fields, here));
  });
  const node = part('bytes', 'Bytes', bytes.length ? el('div', { class: 'sides' },
    el('div', {}, meaning, el('div', { class: 'wide' }, grid), bytes.length > PAGE && el('p', { class: 'turn' },
      el('button', { type: 'button', onclick: () => show(here - PAGE) }, '← page'),
      el('button', { type: 'button', onclick: () => show(here + PAGE) }, 'page →'))),
    fields.length > 0 && el('div', { class: 'index' }, finder, list))
    : el('p', {}, 'The file is empty.'));
  show(0);
  return { node, show };
}
