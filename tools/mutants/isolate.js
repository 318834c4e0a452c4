// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// A reader in JavaScript with a switch at each check, for tools/mutants/_isolated.py: the source on
// the first line, as JSON, then a line {"off": N, "level": ..., "files": [...]} for each question. An answer is a
// list of ["accepted", "refused" or "broken", the check that was noted last].
'use strict';

const fs = require('fs');
const readline = require('readline');

let off = -1;
let level = '';
let last = -1;
let own = null;

function saw(k, ok) {
  if (!ok) last = k;
  return ok;
}

function verdict(file) {
  last = -1;
  const data = fs.readFileSync(file);
  try {
    own.read(data, level);
    return ['accepted', last];
  } catch (e) {
    return [e instanceof own.Refused ? 'refused' : 'broken', last];
  }
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line);
  if (own === null) {
    const make = new Function('require', '_off', '_saw', `${message}\nreturn { read, Refused };`);
    own = make(require, (k) => k === off, saw);
    return;
  }
  off = message.off;
  level = message.level;
  process.stdout.write(`${JSON.stringify(message.files.map(verdict))}\n`);
});
