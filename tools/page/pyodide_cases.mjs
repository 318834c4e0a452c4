// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The page's Python in Node, without a browser: node pyodide_cases.mjs PYODIDE ZIP FILES ASKED SAID
//
// ASKED has lists of words as JSON; SAID gets what `efm3 WORDS` answers to each, in the folder
// FILES, and the milliseconds that it took, of the clock and of the processor.
// tools/page/in_node.py compares.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// Node would show the source line first, which is a megabyte long in Pyodide.
process.on('uncaughtException', (fault) => {
  process.stderr.write(`${String(fault.stack).slice(-4000)}\n`);
  process.exit(1);
});

const [pyodide, zip, files, asked, said] = process.argv.slice(2).map((name) => resolve(name));
const ARCHIVE = '/lib/efm3.zip';
const HOME = '/files';

/** Call it, and say how many milliseconds of the clock and of the processor that took. */
const timed = async (/** @type {() => any} */ call) => {
  const [began, used] = [performance.now(), process.cpuUsage()];
  const value = await call();
  const { user, system } = process.cpuUsage(used);
  return { value, ms: [performance.now() - began, (user + system) / 1000] };
};

const { loadPyodide } = await import(pathToFileURL(join(pyodide, 'pyodide.mjs')).href);
const boot = await timed(() => loadPyodide({ indexURL: pyodide }));
const py = boot.value;
const begin = await timed(() => {
  py.FS.writeFile(ARCHIVE, readFileSync(zip));
  py.runPython(`import sys; sys.path.append("${ARCHIVE}")`);
  return py.pyimport('glue');
});
const glue = begin.value;
const ready = await timed(() => JSON.parse(glue.begin(HOME)));
for (const name of readdirSync(files)) py.FS.writeFile(`${HOME}/${name}`, readFileSync(join(files, name)));

const answers = [];
for (const words of JSON.parse(readFileSync(asked, 'utf8'))) {
  const { value, ms } = await timed(() => JSON.parse(glue.run(JSON.stringify(words))));
  answers.push({ value, ms });
}
writeFileSync(said, JSON.stringify({
  ready: ready.value, boot: boot.ms, begin: begin.ms.map((ms, i) => ms + ready.ms[i]), answers }));
