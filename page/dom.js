// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Elements are made here and nowhere else. A text reaches the page as a text node, never as HTML.

const SVG = 'http://www.w3.org/2000/svg';
/** Characters of a foreign text that are shown; of longer ones the beginning. */
export const LONGEST = 400;

/** @typedef {Node | string | number | null | undefined | false} Inner */

/**
 * @param {Element} node
 * @param {Record<string, any>} attributes  those whose names begin with "on" are listeners
 * @param {Inner[]} inner
 */
function fill(node, attributes, inner) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, String(value));
    }
  }
  add(node, ...inner);
}

/**
 * @param {Element | DocumentFragment} node
 * @param {Inner[]} inner
 */
export function add(node, ...inner) {
  for (const part of inner) {
    if (part === null || part === undefined || part === false) continue;
    node.append(part instanceof Node ? part : document.createTextNode(String(part)));
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [attributes]
 * @param {Inner[]} inner
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes = {}, ...inner) {
  const node = document.createElement(tag);
  fill(node, attributes, inner);
  return node;
}

/**
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {Inner[]} inner
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...inner) {
  const node = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  fill(node, attributes, inner);
  return node;
}

/**
 * A foreign text as one line: what steers a screen, turns the direction of writing or is no
 * character is written as its number.
 * @param {unknown} text
 * @param {number} [longest]
 */
export function printable(text, longest = LONGEST) {
  let whole = String(text);
  // Cut before it is looked at: a mirror may hold a megabyte in one string.
  const cut = whole.length > longest;
  if (cut) whole = whole.slice(0, longest);
  return whole.replace(/[\p{C}\p{Z}]/gu, (c) => (c === ' ' ? c
    : `\\u{${/** @type {number} */ (c.codePointAt(0)).toString(16)}}`)) + (cut ? '…' : '');
}

/**
 * A foreign text, kept apart from the direction of the words around it.
 * @param {unknown} text
 * @param {number} [longest]
 */
export function foreign(text, longest) {
  return el('bdi', { class: 'foreign' }, printable(text, longest));
}

/**
 * The same, with what stands between backticks, a command or a name, as code.
 * @param {unknown} text
 * @param {number} [longest]
 */
export function coded(text, longest) {
  const parts = printable(text, longest).split(/`([^`]+)`/);
  return el('bdi', { class: 'foreign' }, ...parts.map((part, n) => (n % 2 ? el('code', {}, part) : part)));
}

/** Once the browser has nothing else to do, but within a second. @param {() => void} then */
export function whenIdle(then) {
  if ('requestIdleCallback' in globalThis) requestIdleCallback(then, { timeout: 1000 });
  else setTimeout(then, 200);
}

/** Made once: a table asks it hundreds of times. */
const NUMBERS = new Intl.NumberFormat('en');
/** @param {number} n */
export const count = (n) => NUMBERS.format(n);

/** @param {number} n @param {string} word */
export const many = (n, word) => `${count(n)} ${word}${n === 1 ? '' : 's'}`;

/** @param {number | null} n */
export const short = (n) => (n === null ? '' : String(Number(n.toPrecision(4))));

/**
 * @param {string} name  an element's id, which is in index.html
 * @returns {HTMLElement}
 */
export function byId(name) {
  const found = document.getElementById(name);
  if (!found) throw new Error(`no element ${name}`);
  return found;
}

/**
 * A part of the view with its heading.
 * @param {string} name  its id
 * @param {string} title
 * @param {Inner[]} inner
 */
export function part(name, title, ...inner) {
  return el('section', { id: name, 'aria-labelledby': `${name}-title`, class: 'part' },
    el('h2', { id: `${name}-title` }, title), ...inner);
}

/**
 * A row, whose first cell is its head.
 * @param {Inner[]} cells
 */
export function tableRow(cells) {
  return el('tr', {}, ...cells.map((cell, n) => (cell instanceof HTMLTableCellElement ? cell
    : n === 0 ? el('th', { scope: 'row' }, cell) : el('td', {}, cell))));
}

/**
 * A table that scrolls in itself where it is wider than the page.
 * @param {string} caption
 * @param {string[]} heads
 * @param {(Inner[])[]} rows
 * @param {Record<string, any>} [attributes]
 */
export function table(caption, heads, rows, attributes = {}) {
  // Chromium's style engine keeps a media query for ever of each thead and tfoot that ever was in a document.
  const head = el('tbody', { class: 'heads' }, el('tr', {}, ...heads.map((h) => el('th', { scope: 'col' }, h))));
  const body = el('tbody', {}, ...rows.map(tableRow));
  return el('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': caption },
    el('table', attributes, el('caption', { class: 'unseen' }, caption),
      head, body));
}
