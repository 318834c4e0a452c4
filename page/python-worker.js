// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Python in the browser: the same `efm3` command as on a machine, given words and files.

import { loadPyodide } from './pyodide/pyodide.mjs';
import { serve } from './rpc.js';

const SITE = '/lib/python3.14/site-packages';
const HOME = '/files';

async function boot() {
  const began = performance.now();
  const [py, packed] = await Promise.all([
    loadPyodide({ indexURL: new URL('./pyodide/', import.meta.url).href }),
    fetch(new URL('./python.zip', import.meta.url)).then((r) => r.arrayBuffer()),
  ]);
  const booted = performance.now();
  py.unpackArchive(packed, 'zip', { extractDir: SITE });
  py.FS.mkdirTree(HOME);
  const glue = py.pyimport('glue');
  const facts = JSON.parse(glue.begin(HOME));
  self.postMessage({ note: { ready: facts, boot: booted - began, all: performance.now() - began } });
  return { py, glue };
}

const booting = boot();
// Without this a failure is reported twice: the questions say it.
booting.catch(() => {});

/** @typedef {{name: string, bytes: Uint8Array}} Given */

serve({
  /** The command's exit code and what it prints. */
  async run({ words }) {
    const { glue } = await booting;
    const began = performance.now();
    const [code, out, err] = JSON.parse(glue.run(JSON.stringify(words)));
    return { code, out, err, ms: performance.now() - began };
  },

  /** Files of a folder, in the place of all that were there. */
  async put({ files }) {
    const { py, glue } = await booting;
    const names = JSON.parse(glue.clear(JSON.stringify(files.map((/** @type {Given} */ f) => f.name))));
    files.forEach((/** @type {Given} */ f, /** @type {number} */ n) => {
      // canOwn: the bytes were sent to this worker, so nobody else has them.
      py.FS.writeFile(`${HOME}/${names[n]}`, f.bytes, { canOwn: true });
    });
    return names;
  },

  /** What kind of file it is, by efm3.sniff; null where nothing is known. */
  async kind({ name }) {
    const { glue } = await booting;
    return JSON.parse(glue.kind(name));
  },
});
