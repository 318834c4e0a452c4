// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Files come in here; what is known of them goes to the views.

import { declared } from './declared.js';
import { differences } from './differences.js';
import { add, byId, el, foreign, whenIdle } from './dom.js';
import { FileView } from './file-view.js';
import { sample } from './sample.js';
import { begun, engine, python } from './workers.js';

/** Files that are looked at in one go, and bytes of them all: they stand in memory. */
const MOST_FILES = 50;
const MOST_BYTES = 512 * 1024 * 1024;

/** Milliseconds for which Python waits for the first view, the first time. */
const PATIENCE = 1000;

const input = /** @type {HTMLInputElement} */ (byId('input'));
/** Counts what was dropped: an answer about what was there before is not shown. */
let round = 0;
/** The one that is on the screen. @type {FileView | null} */
let onScreen = null;

/** @param {import('./dom.js').Inner[]} words */
function say(...words) {
  byId('said').replaceChildren();
  add(byId('said'), ...words);
}

/** @param {string} state  for the style, and for what waits for it */
const mark = (state) => { document.documentElement.dataset.state = state; };

/**
 * Their bytes, as far as they are few; what cannot be read is said.
 * @param {File[]} files
 * @param {import('./dom.js').Inner[]} words  is added to
 */
async function opened(files, words) {
  /** @type {FileView[]} */
  const views = [];
  let room = MOST_BYTES;
  for (const file of files.slice(0, MOST_FILES)) {
    if (file.size > room) {
      words.push(foreign(file.name, 80), ` is too large for this page: efm3 validate reads it. `);
      continue;
    }
    room -= file.size;
    try {
      views.push(new FileView(file.name, new Uint8Array(await file.arrayBuffer())));
    } catch {
      words.push(foreign(file.name, 80), ' cannot be read: it is a folder, of which the files must be dropped, '
        + 'or it has changed or gone. ');
    }
  }
  if (files.length > MOST_FILES) words.push(`Of ${files.length} files the first ${MOST_FILES} are shown. `);
  return views;
}

/**
 * Look at files, in the place of those that were there.
 * @param {File[]} files
 */
async function look(files) {
  if (!files.length) return;
  const mine = ++round;
  // Of files that are not looked at any more nothing needs to be said.
  python.forget('other files have come');
  const began = performance.now();
  /** @param {string} name  of which the last alone is kept */
  const measure = (name) => {
    performance.clearMeasures(name);
    performance.measure(name, { start: began });
  };
  mark('reading');
  say('Reading …');
  /** @type {import('./dom.js').Inner[]} */
  const words = [];
  const views = await opened(files, words);
  if (mine !== round) return;
  const compared = views.length > 1 ? differences(views) : null;
  byId('compare').replaceChildren(...(compared ? [compared.node] : []));
  leave();
  byId('shown').replaceChildren();
  listed(views);
  // The engine has its question first, then Python: both work while this thread shows what is known without them.
  // Where the browser still compiles their programs, it has no hands for all that at once: the first view goes first,
  // but for a time only, since the engine may never answer.
  const selected = views.length ? select(views, 0) : Promise.resolve();
  const first = python.lives ? Promise.resolve() : Promise.race([selected.catch(() => {}),
    new Promise((resolve) => { setTimeout(resolve, PATIENCE); })]);
  const reported = first.then(() => (mine === round ? checked(views, mine) : undefined));
  reported.catch(() => {});  // it is awaited below
  try {
    await selected;
  } catch (e) {
    words.push(foreign(views[0].name, 80), ` cannot be shown: ${e instanceof Error ? e.message : e}. `);
  }
  if (mine !== round) return;
  say(...words, views.length > 1 ? `${views.length} files are shown below.` : views.length ? 'The file is shown below.' : '');
  measure('seen');
  mark(views.length ? 'seen' : 'done');
  if (!views.length) return;
  try {
    await reported;
    if (mine !== round) return;
    measure('checked');
    await compared?.run();
  } catch (e) {
    if (mine === round) for (const v of views) v.failed(e instanceof Error ? e.message : String(e));
  }
  if (mine === round) mark('done');
}

/**
 * Give the files to Python, and show its reports.
 * @param {FileView[]} views
 * @param {number} mine  the round: once another has begun, Python has other files
 */
async function checked(views, mine) {
  if (!views.length) return;
  python.before = null;
  const given = { files: views.map((v) => ({ name: v.name, bytes: v.bytes })) };
  const there = python.ask('put', given).then((/** @type {string[]} */ names) => {
    if (mine !== round) return;
    python.before = { verb: 'put', given };
    views.forEach((v, n) => { v.held = names[n]; });
  });
  // A question behind it is asked by numbers, and does not wait for the names.
  const reports = views.map((v, n) => v.report(n).catch(async (e) => {
    await there;
    v.failed(e.message);
  }));
  await Promise.all([there, ...reports]);
}

/** What is on the screen goes. */
function leave() {
  onScreen?.leave();
  onScreen = null;
}

/**
 * Show one of these files.
 * @param {FileView[]} views
 * @param {number} n
 */
async function select(views, n) {
  if (onScreen !== views[n]) leave();
  onScreen = views[n];
  [...byId('tabs').children].forEach((b, i) => b.setAttribute('aria-current', String(i === n)));
  byId('shown').replaceChildren(views[n].node);
  await views[n].first();
}

/**
 * A button for each file, where there are several.
 * @param {FileView[]} views
 */
function listed(views) {
  byId('tabs').hidden = views.length < 2;
  byId('tabs').replaceChildren(...(views.length < 2 ? [] : views.map((v, i) => {
    const state = el('span');
    v.changed = () => { state.textContent = v.mark(); };
    return el('button', { type: 'button', onclick: () => select(views, i) }, state, foreign(v.name, 60));
  })));
}

input.addEventListener('change', () => {
  look([...(input.files ?? [])]);
  // The same file again is a change again.
  input.value = '';
});
for (const kind of ['pointerover', 'focus']) input.parentElement?.addEventListener(kind, () => python.start(), { once: true });
document.addEventListener('dragover', (e) => {
  e.preventDefault();
  document.documentElement.classList.add('over');
});
document.addEventListener('dragenter', () => python.start(), { once: true });
for (const kind of ['dragleave', 'drop', 'dragend']) {
  document.addEventListener(kind, () => document.documentElement.classList.remove('over'));
}
document.addEventListener('drop', (e) => {
  e.preventDefault();
  const files = [...(e.dataTransfer?.files ?? [])];
  if (!files.length) say('What was dropped is no file: save it first, then choose it or drop it here.');
  // Pictures are for the network that is on the screen.
  else if (onScreen?.run && files.every((f) => f.type.startsWith('image/'))) {
    say('The pictures are below, where it says “Run it”.');
    onScreen.run.take(files);
  } else look(files);
});
byId('sample').addEventListener('click', async () => {
  try {
    look([await sample('facex_nano.bin')]);
  } catch (e) {
    say(e instanceof Error ? `${e.message}.` : String(e));
  }
});
byId('versions').textContent = `EFM3 ${declared.version}`;
say('');
mark('ready');
performance.mark('ready');
/** Keep the page for a time without a network, once what a file needs has come: both at once would hold each other up. */
begun.then(() => navigator.serviceWorker?.register(new URL('./service-worker.js', import.meta.url))).catch(() => {
  // Without one the page works as before, while there is a network.
});
/** Whoever pays for what is loaded waits for Python with the first file instead. */
const sparing = /** @type {any} */ (navigator).connection?.saveData === true;
if (!sparing) whenIdle(() => { engine.start(); python.start(); });
