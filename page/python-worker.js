// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Python in the browser: the same `efm3` command as on a machine, given words and files.

import create from './pyodide/pyodide.asm.mjs';
import { loadPyodide } from './pyodide/pyodide.mjs';
import { serve } from './rpc.js';

const ARCHIVE = '/lib/efm3.zip';
const HOME = '/files';
/** Bytes of Python's memory after its start, which `python -m tools.page` writes down; 0 where it has not. */
const MEMORY = 0;

/** @typedef {import('./pyodide/pyodide.mjs').Python} Python */
/** @typedef {import('./pyodide/pyodide.asm.mjs').Machine} Machine */

/** @param {string} name */
const beside = (name) => new URL(name, import.meta.url).href;
const indexURL = beside('./pyodide/');

/** @param {string} name */
async function fetched(name) {
  const answer = await fetch(beside(name));
  if (!answer.ok) throw new Error(`${name}: HTTP ${answer.status}`);
  return answer;
}

/** @param {string} name @param {Uint8Array} into  which it fills */
async function unpacked(name, into) {
  const { body } = await fetched(name);
  if (!body) throw new Error(`${name} is empty`);
  let at = 0;
  for (const reader = body.pipeThrough(new DecompressionStream('gzip')).getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    into.set(value, at);
    at += value.length;
  }
  if (at !== into.length) throw new Error(`${name}: ${at} bytes`);
}

/**
 * The word in a machine's memory that says how C functions are called here: browsers differ in it.
 * @param {Machine} machine
 */
const caller = ({ HEAP32, __PyRuntime, __PyEM_EMSCRIPTEN_TRAMPOLINE_OFFSET }) => (
  (__PyRuntime + HEAP32[__PyEM_EMSCRIPTEN_TRAMPOLINE_OFFSET >> 2]) >> 2);

/** Python as it was when the page was made, with all imported. */
async function remembered() {
  const memory = new Uint8Array(MEMORY);
  const filled = unpacked('./python.memory', memory);
  filled.catch(() => {});
  const python = await loadPyodide({ indexURL, _loadSnapshot: memory, createPyodideModule: async (how) => {
    const machine = await create(how);
    await filled;
    machine.growMemory(memory.length);
    const [place, words] = [caller(machine), new Int32Array(memory.buffer)];
    words[words[1] / 4 + place] = machine.HEAP32[place];
    return machine;
  } });
  // Pyodide keeps what it was given, of which Python has a copy: what is handed on takes no room here.
  structuredClone(memory.buffer, { transfer: [memory.buffer] });
  return python;
}

/**
 * What Pyodide makes, or why its machine is not there: of that it warns on the console, and waits for ever.
 * @param {() => Promise<Python>} making
 * @returns {Promise<Python>}
 */
function orWhyNot(making) {
  const own = WebAssembly.instantiateStreaming;
  return new Promise((resolve, reject) => {
    WebAssembly.instantiateStreaming = async (...given) => {
      try {
        return await own.apply(WebAssembly, given);
      } catch (e) {
        reject(new Error(`pyodide.asm.wasm cannot be loaded: ${e instanceof Error ? e.message : e}`));
        throw e;
      }
    };
    making().then(resolve, reject);
  }).finally(() => { WebAssembly.instantiateStreaming = own; });
}

/** @returns {Promise<Python>} */
async function started() {
  if (MEMORY) {
    try {
      return await orWhyNot(remembered);
    } catch (e) {
      // Where a browser has no room for it, or does not know gzip. All is imported then, which takes longer.
      console.warn('Python starts without its memory:', e);
    }
  }
  return await orWhyNot(() => loadPyodide({ indexURL }));
}

async function boot() {
  const began = performance.now();
  const [py, archive] = await Promise.all([started(),
    fetched('./python.zip').then((r) => r.arrayBuffer())]);
  const booted = performance.now();
  py.FS.writeFile(ARCHIVE, new Uint8Array(archive));
  py.runPython(`import sys\nif "${ARCHIVE}" not in sys.path: sys.path.append("${ARCHIVE}")`);
  const glue = py.pyimport('glue');
  const facts = JSON.parse(glue.begin(HOME));
  self.postMessage({ note: { ready: facts, boot: booted - began, all: performance.now() - began } });
  return { py, glue };
}

const booting = boot();
// The questions say why it failed.
booting.catch(() => self.postMessage({ note: {} }));

/** @typedef {{name: string, bytes: Uint8Array}} Given */

/** The names of the files that were put last. @type {string[]} */
let names = [];

/** A file's name by its number: who has just put files need not wait for the names. @param {string | number} word */
function named(word) {
  if (typeof word === 'string') return word;
  if (word >= names.length) throw new Error('the file is not there');
  return names[word];
}

serve({
  /** The command's exit code and what it prints. */
  async run({ words }) {
    const { glue } = await booting;
    const began = performance.now();
    const [code, out, err] = JSON.parse(glue.run(JSON.stringify(words.map(named))));
    return { code, out, err, ms: performance.now() - began };
  },

  /** Files of a folder, in the place of all that were there. */
  async put({ files }) {
    const { py, glue } = await booting;
    names = [];
    const held = JSON.parse(glue.clear(JSON.stringify(files.map((/** @type {Given} */ f) => f.name))));
    files.forEach((/** @type {Given} */ f, /** @type {number} */ n) => {
      // canOwn: the bytes were sent to this worker, so nobody else has them.
      py.FS.writeFile(`${HOME}/${held[n]}`, f.bytes, { canOwn: true });
    });
    names = held;
    return names;
  },

  /** What kind of file it is, by efm3.sniff; null where nothing is known. */
  async kind({ name }) {
    const { glue } = await booting;
    return JSON.parse(glue.kind(named(name)));
  },
});
