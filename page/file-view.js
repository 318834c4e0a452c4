// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// All that is shown of one file.

import { hexView } from './bytes.js';
import { declared } from './declared.js';
import { coded, count, el, foreign, part } from './dom.js';
import { findings, missing, waiting } from './findings.js';
import { read } from './reader.js';
import { running } from './running.js';
import { saving, validating } from './saving.js';
import { asking, engineSays, label, noVerdict, ownSides } from './summary.js';
import { NONE, tensorTable } from './tensors.js';
import { topology } from './topology.js';
import { engine, python } from './workers.js';

let made = 0;

/**
 * True for what may be an EFM3 file: of another kind there is no network to show.
 * @param {import('./reader.js').Reading} reading
 */
const isOurs = (reading) => reading.arch !== null || reading.values.get('magic') === declared.consts.magic;

/** Links to what stands further down: on a phone that is many screens away. @param {boolean} runs */
const ways = (runs) => el('nav', { class: 'ways', 'aria-label': 'Parts' }, ...[['findings', 'Report'],
  ['coherence', 'Header, mirror and table'], ['topology', 'Topology'], ['tensors', 'Tensors'], ['bytes', 'Bytes'],
  ...(runs ? [['run', 'Run it']] : [])].flatMap(([to, title]) => [el('a', { href: `#${to}` }, title), ' ']));

export class FileView {
  /** @type {import('./reader.js').Reading | null} */
  #read = null;

  /**
   * @param {string} name
   * @param {Uint8Array} bytes
   */
  constructor(name, bytes) {
    this.key = made++;
    this.name = name;
    this.bytes = bytes;
    this.node = el('div', { class: 'file' });
    /** The name under which Python has it; "" until it does. */
    this.held = '';
    /** @type {boolean | null} */
    this.ok = null;
    this.changed = () => {};
    this.slot = el('div', {}, waiting());
    this.kind = el('div');
    /** @type {(offset: number) => void} */
    this.show = () => {};
    /** @type {Promise<void> | null} */
    this.seen = null;
    /** @type {Promise<void> | null} */
    this.checked = null;
    /** Where its network runs; null of a file that the engine does not open. @type {import('./running.js').Running | null} */
    this.run = null;
  }

  /** What stands in the bytes, without Python. */
  get reading() { return this.#read ??= read(this.bytes); }

  /** False for a file of another kind. */
  get ours() { return isOurs(this.reading); }

  /** A word about it, for the list of files. */
  mark() { return this.ok === null ? '' : this.ok ? '✔ ' : '✘ '; }

  /** What is there at once, without Python. */
  first() {
    this.seen ??= this.#first();
    return this.seen;
  }

  async #first() {
    const asked = engine.ask('look', { key: this.key, bytes: this.bytes }).catch((e) => ({ why: e.message }));
    // Whoever called goes on first: Python gets its question before this thread is busy.
    await null;
    // All that the engine is not needed for is drawn while it works.
    const { ours, reading } = this;
    const hex = hexView(this.bytes, ours ? reading.fields : []);
    this.show = (offset) => hex.show(offset, true);
    const byName = new Map(reading.tensors.map((t) => [t.name, t.at]));
    const [said, tensors] = [asking(), el('div')];
    this.node.replaceChildren(
      part('verdict', 'Verdict', el('p', { class: 'name' }, foreign(this.name, 120),
        !ours && el('small', {}, ` ${count(this.bytes.length)} bytes`)), this.kind, said),
      ...(ours ? [label(reading)] : []), this.slot, ...(ours ? [el('div', { class: reading.layers.length > 0 && 'beside' },
        ownSides(reading),
        topology(reading.layers, (name) => { const at = byName.get(name); if (at !== undefined) this.show(at); })),
      tensors] : []), hex.node);
    const looked = await asked;
    const verdict = looked.verdict;
    if (verdict) this.ok ??= verdict.ok;
    if (verdict?.ok) this.run = running(this, reading);
    said.replaceWith(verdict ? engineSays(verdict, ours) : noVerdict(looked.why), ...(ours ? [ways(this.run !== null)] : []));
    if (ours) tensors.replaceWith(tensorTable(reading.tensors, looked.statistics ?? reading.tensors.map(() => NONE), this.show));
    if (this.run) this.node.append(this.run.node);
    this.changed();
  }

  /** The full report. @param {number} n  the file's place among those that Python was given last */
  report(n) {
    this.checked ??= this.#report(n);
    return this.checked;
  }

  /** @param {number} n */
  async #report(n) {
    const [{ out, err, ms }, kind] = await Promise.all([
      python.ask('run', { words: validating('json', n) }), python.ask('kind', { name: n })]);
    if (!out) throw new Error(err || 'the validator says nothing');
    const report = JSON.parse(out).reports[0];
    this.json = out;
    this.ok = report.ok;
    if (kind && kind.name !== 'efm3') {
      this.kind.className = 'verdict other';
      this.kind.replaceChildren(el('p', { class: 'lead' }, 'This is ', foreign(kind.title), '.'),
        kind.todo && el('p', {}, 'What to do: ', coded(kind.todo), '.'));
    }
    this.slot.replaceChildren(findings(report, ms, this.show, saving(this.name, this.held)));
    this.changed();
  }

  /** Another file takes its place on the screen. */
  leave() { this.run?.stop(); }

  /** @param {string} why */
  failed(why) { this.slot.replaceChildren(missing(why)); }
}
