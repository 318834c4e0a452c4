// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The memory of the page's Python once all that its verbs need is imported:
// node memory.mjs PYODIDE ZIP WEIGHTS OUT
//
// tools/page/memory.py packs it; page/python-worker.js starts from it.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// Node would show the source line first, which is a megabyte long in Pyodide.
process.on('uncaughtException', (fault) => {
  process.stderr.write(`${String(fault.stack).slice(-4000)}\n`);
  process.exit(1);
});

const [pyodide, zip, weights, out] = process.argv.slice(2).map((name) => resolve(name));
const ARCHIVE = '/lib/efm3.zip';
const HOME = '/files';

const { loadPyodide } = await import(pathToFileURL(join(pyodide, 'pyodide.mjs')).href);
const py = await loadPyodide({ indexURL: pyodide, _makeSnapshot: true });
py.FS.writeFile(ARCHIVE, readFileSync(zip));
py.runPython(`import sys; sys.path.append("${ARCHIVE}")`);
const glue = py.pyimport('glue');
glue.begin(HOME);
py.FS.writeFile(`${HOME}/a.bin`, readFileSync(weights));
glue.warm('a.bin');
glue.clear('[]');
glue.destroy();
writeFileSync(out, py.makeMemorySnapshot());
