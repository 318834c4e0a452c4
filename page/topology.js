// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The network as a drawing, the one of `efm3 report`: tests/page compares the two.

import { count, el, many, part, svg, table } from './dom.js';

const WIDTH = 400;
const [WIDEST, LEAST] = [150, 6];
const [LANE, LEFT, LABEL] = [12, 24, 184];
const [CENTRE, RIGHT] = [LEFT + WIDEST / 2, WIDTH - 6];
const NUMBER = 60;
const [ROW, STEP, GAP] = [17, 19, 13];
const [HEADING, AFTER] = [24, 8];
const [ADDED, BRANCH] = [4, 10];
/** Blocks of a stage that are all drawn; of more the first two and the last. */
const BLOCKS = 8;

/**
 * @typedef {import('./reader.js').Layer} Layer
 * @typedef {{name: string, kind: string, x: number, y: number, width: number, label: string,
 *   macs: string, macs_width: number, title: string}} Bar
 * @typedef {{width: number, height: number,
 *   panels: {y: number, height: number, text: string, start: number, end: number}[], bars: Bar[],
 *   arcs: {name: string, start: number, end: number}[], folds: {y: number, text: string}[]}} Drawing
 */

const HEADS = ['layer', 'kind', 'weights', 'stride', 'after it', 'added', 'pixels', 'parameters', 'MACs'];

/** Millions with two digits, a half rounded up. @param {number} macs */
export function millions(macs) {
  const hundredths = Math.floor((macs + 5000) / 10000);
  return `${count(Math.floor(hundredths / 100))}.${String(hundredths % 100).padStart(2, '0')}M`;
}

/**
 * Runs of neighbours with the same key.
 * @template T
 * @param {T[]} rows
 * @param {(row: T) => unknown} key
 * @returns {T[][]}
 */
function runs(rows, key) {
  /** @type {T[][]} */
  const out = [];
  for (const row of rows) {
    const last = out[out.length - 1];
    if (last && key(last[0]) === key(row)) last.push(row);
    else out.push([row]);
  }
  return out;
}

/** @param {Layer} r */
function label(r) {
  const [out, perGroup, kernel] = r.shape;
  const channels = r.kind === 'conv' || r.kind === 'pointwise' ? `${perGroup}→${out}` : `${out}`;
  return `${r.layer} ${kernel}×${kernel}${r.stride > 1 ? ` /${r.stride}` : ''} ${channels}`;
}

/** @param {Layer} r */
const title = (r) => `${r.name}: ${r.kind}, weights ${r.shape.join('×')}, ${r.inSide}×${r.inSide} to `
  + `${r.outSide}×${r.outSide} pixels${r.act ? ', PReLU' : ''}`
  + `${r.residual ? `, plus the input of ${r.residual}` : ''}, ${count(r.parameters)} parameters, `
  + `${count(r.macs)} MACs`;

/**
 * Where everything stands, in whole pixels.
 * @param {Layer[]} rows  at least one
 * @returns {Drawing}
 */
export function drawing(rows) {
  /** @type {Drawing} */
  const out = { width: WIDTH, height: 0, panels: [], bars: [], arcs: [], folds: [] };
  const widest = Math.max(...rows.map((r) => r.shape[0]));
  const most = Math.max(1, ...rows.map((r) => r.macs));
  /** @param {Layer[]} layers @param {number} from */
  const block = (layers, from) => {
    let at = from;
    for (const r of layers) {
      const width = Math.max(LEAST, isqrt(Math.floor((r.shape[0] * WIDEST ** 2) / widest)));
      out.bars.push({ name: r.name, kind: r.kind, x: CENTRE - Math.floor(width / 2), y: at, width,
        label: label(r), macs: millions(r.macs),
        macs_width: Math.max(1, Math.floor((r.macs * NUMBER) / most)), title: title(r) });
      at += STEP;
    }
    at -= STEP - ROW;
    const last = layers[layers.length - 1];
    if (last.residual) {
      out.arcs.push({ name: last.name.slice(0, last.name.lastIndexOf('.')), start: from - GAP + BRANCH,
        end: at + ADDED });
    }
    return at;
  };
  let y = 0;
  for (const layers of runs(rows, (r) => r.stage)) {
    const top = y;
    const blocks = runs(layers, (r) => r.block);
    y += HEADING;
    const leftOut = blocks.length > BLOCKS ? blocks.length - 3 : 0;
    blocks.forEach((b, n) => {
      if (leftOut && n >= 2 && n < blocks.length - 1) {
        if (n === 2) {
          const each = millions(b.reduce((sum, r) => sum + r.macs, 0));
          out.folds.push({ y, text: `… ${many(leftOut, 'block')} more like the one above, ${each} MACs each` });
          y += ROW + GAP;
        }
        return;
      }
      y = block(b, y) + (n < blocks.length - 1 ? GAP : 0);
    });
    const last = layers[layers.length - 1];
    y += last.residual ? GAP : AFTER;
    const name = layers[0].stage !== null ? `stage ${layers[0].stage}` : top ? 'head' : 'stem';
    const sides = `${layers[0].inSide}→${last.outSide} px`;
    const text = layers[0].block === null ? `${name} · ${sides}`
      : `${name} · ${many(blocks.length, 'block')} · ${count(last.shape[0])} channels · ${sides}`;
    out.panels.push({ y: top, height: y - top, text, start: top + HEADING - GAP + BRANCH, end: y });
    y += AFTER;
  }
  out.height = y - AFTER;
  return out;
}

/** @param {number} n */
function isqrt(n) {
  let root = Math.floor(Math.sqrt(n));
  while (root * root > n) root--;
  while ((root + 1) * (root + 1) <= n) root++;
  return root;
}

/**
 * @param {Drawing} d
 * @param {(n: number) => void} chosen  is given the number of a bar
 */
function draw(d, chosen) {
  const node = svg('svg', { viewBox: `0 0 ${d.width} ${d.height}`, class: 'topology', tabindex: 0,
    role: 'application', 'aria-label': 'Topology: arrow keys go from layer to layer',
    'aria-describedby': 'layer' });
  for (const p of d.panels) {
    node.append(svg('rect', { x: 0, y: p.y, width: d.width, height: p.height, rx: 8, class: 'panel' }),
      svg('text', { x: 12, y: p.y + 16, class: 'heading' }, p.text),
      svg('path', { d: `M${CENTRE} ${p.start}V${p.end}`, class: 'spine' }));
  }
  for (const a of d.arcs) {
    node.append(svg('path', { class: 'arc', d: `M${CENTRE} ${a.start}H${LANE + 6}Q${LANE} ${a.start} ${LANE} ${
      a.start + 6}V${a.end - 6}Q${LANE} ${a.end} ${LANE + 6} ${a.end}H${CENTRE - 4}` }));
  }
  d.bars.forEach((b, n) => {
    node.append(svg('g', { class: `bar ${b.kind}`, 'data-bar': n, onclick: () => chosen(n),
      onpointerenter: () => chosen(n) },
    svg('rect', { x: 0, y: b.y - 1, width: d.width, height: ROW + 2, class: 'behind' }),
    svg('rect', { x: RIGHT - b.macs_width, y: b.y, width: b.macs_width, height: ROW, class: 'share' }),
    svg('rect', { x: b.x, y: b.y, width: b.width, height: ROW, rx: 3, class: 'block' }),
    svg('text', { x: LABEL, y: b.y + 12.5 }, b.label),
    svg('text', { x: RIGHT - 4, y: b.y + 12.5, class: 'macs' }, b.macs)));
  });
  for (const a of d.arcs) {
    node.append(svg('circle', { cx: CENTRE, cy: a.end, r: 4, class: 'plus' }),
      svg('path', { d: `M${CENTRE - 2} ${a.end}h4M${CENTRE} ${a.end - 2}v4`, class: 'arc' }));
  }
  for (const f of d.folds) node.append(svg('text', { x: LEFT, y: f.y + 12.5, class: 'fold' }, f.text));
  return node;
}

/**
 * @param {Layer[]} layers
 * @param {(name: string) => void} show  a tensor of this name
 */
export function topology(layers, show) {
  if (!layers.length) {
    return part('topology', 'Topology', el('p', {}, 'The header states no network that can be drawn.'));
  }
  const d = drawing(layers);
  let here = 0;
  const meaning = el('p', { id: 'layer', class: 'meaning' });
  const to = el('button', { type: 'button', onclick: () => show(`${d.bars[here].name}.conv.w`) },
    'Show its weights');
  /** @param {number} n */
  const choose = (n) => {
    here = Math.max(0, Math.min(n, d.bars.length - 1));
    meaning.textContent = d.bars[here].title;
    node.querySelector('.here')?.classList.remove('here');
    node.querySelector(`[data-bar="${here}"]`)?.classList.add('here');
  };
  const node = draw(d, choose);
  node.addEventListener('keydown', (e) => {
    const key = /** @type {KeyboardEvent} */ (e).key;
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10,
      Home: -d.bars.length, End: d.bars.length }[key];
    if (key === 'Enter') to.click();
    if (step === undefined) return;
    e.preventDefault();
    choose(here + step);
    node.querySelector('.here')?.scrollIntoView({ block: 'nearest' });
  });
  choose(0);
  const rows = () => layers.slice(0, 1000).map((r) => [r.name, r.kind, r.shape.join('×'), String(r.stride),
    r.act ? 'PReLU' : '', r.residual && `+ ${r.residual}`,
    r.inSide === r.outSide ? `${r.outSide}` : `${r.inSide} → ${r.outSide}`, count(r.parameters), count(r.macs)]);
  return part('topology', 'Topology', el('div', { class: 'chosen' }, meaning, to), el('div', { class: 'drawing' }, node),
    el('details', { ontoggle: (/** @type {Event} */ e) => {
      const own = /** @type {HTMLDetailsElement} */ (e.target);
      if (own.open && own.children.length === 1) own.append(table('Layers', HEADS, rows(), { class: 'numbers' }));
    } }, el('summary', {}, 'The same as a table')));
}
