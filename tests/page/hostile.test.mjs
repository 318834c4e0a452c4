// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The kit's files and damaged ones through one page, dropped one after the other: nothing raises,
// nothing holds the page up, and memory stays as it was. EFM3_PAGE_FILES says how many damaged ones;
// from 1000 on all files of the kit come before them, else every fourth.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { launchServer, ROOT, serve, skip, visit } from './browser.mjs';

const FILES = join(process.env.EFM3_PAGE_CASES ?? join(ROOT, 'build/page-cases'), 'files');
const without = skip || (!existsSync(FILES) && 'no cases: python -m tools.page.expected build/page-cases');
const DAMAGED = Number(process.env.EFM3_PAGE_FILES ?? 200);
const EVERY = DAMAGED < 1000 ? 4 : 1;
const PACK = 50;
/** Of a damaged file, so that there is time for many. */
const LONGEST = 200_000;
/** Milliseconds for which the page may not answer, and for which a file may take in all. */
const HELD = Number(process.env.EFM3_PAGE_HELD ?? 1000);
/** Growth of the browser's memory over the second half of all files, when garbage is collected, MB. */
const GROWTH = 64;

/** Numbers that look random and are the same each time. */
function* numbers(seed) {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield (state >>> 8) / 2 ** 24;
  }
}

const random = numbers(20261127);
const below = (n) => Math.floor(random.next().value * n);
const ODD = [0, 1, 2, 4, 255, 256, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, 0x7f800000, 0x7fc00000];

/** A file with a few faults; most are where the sizes are. */
function damaged(file) {
  let out = Buffer.from(file);
  for (let n = 1 + below(4); n > 0; n--) {
    const at = below(3) ? below(Math.min(out.length, 700)) : below(out.length);
    const kind = below(6);
    if (kind === 0 && out.length > 1) out = out.subarray(0, 1 + below(out.length - 1));
    else if (kind === 1) out[at] = below(256);
    else if (kind === 2) out[at] ^= 1 << below(8);
    else if (kind === 3 && at + 4 <= out.length) out.writeUInt32LE(ODD[below(ODD.length)], at);
    else if (kind === 4) out = Buffer.concat([out.subarray(0, at), Buffer.alloc(1 + below(9), below(256)), out.subarray(at)]);
    else out = Buffer.concat([out.subarray(0, at), out.subarray(at + 1 + below(9))]);
    if (!out.length) return out;
    out = Buffer.from(out);
  }
  return out;
}

function* given() {
  const names = readdirSync(FILES).sort();
  const bases = [];
  for (const [n, name] of names.entries()) {
    const data = readFileSync(join(FILES, name));
    if (data.length > 100 && data.length < LONGEST) bases.push(data);
    if (n % EVERY === 0) yield { name, data };
  }
  for (let n = 0; n < DAMAGED; n++) yield { name: `damaged-${n}.bin`, data: damaged(bases[below(bases.length)]) };
}

/** Resident memory of a process and all below it, MB. */
function resident(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      parents.set(Number(name), { parent: Number(fields[1]), pages: Number(fields[21]) });
    } catch { /* it has ended */ }
  }
  const own = (id) => id === pid || (parents.has(id) && parents.get(id).parent > 1 && own(parents.get(id).parent));
  let sum = 0;
  for (const [id, { pages }] of parents) if (own(id)) sum += pages * 4096;
  return sum / 1e6;
}

test('the kit\'s files and damaged ones', { skip: without, timeout: 7_200_000 }, async (t) => {
  const server = await serve();
  const { browser, pid, close } = await launchServer();
  t.after(async () => { await close(); server.close(); });
  const { page, context, faults } = await visit(browser, server);
  const debug = await context.newCDPSession(page);
  await page.evaluate(() => {
    const state = document.documentElement.dataset;
    globalThis.longest = 0;
    let last = performance.now();
    setInterval(() => {
      const now = performance.now();
      globalThis.longest = Math.max(globalThis.longest, now - last);
      last = now;
    }, 20);
    globalThis.dropped = (name, base64) => new Promise((done, fail) => {
      const moved = new DataTransfer();
      moved.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
      const began = performance.now();
      const timer = setTimeout(() => fail(new Error(`${name} takes too long`)), 120_000);
      const seen = new MutationObserver(() => {
        if (state.state !== 'done') return;
        seen.disconnect();
        clearTimeout(timer);
        done(performance.now() - began);
      });
      seen.observe(document.documentElement, { attributes: true, attributeFilter: ['data-state'] });
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: moved, bubbles: true, cancelable: true }));
    });
  });
  const memory = [];
  let [count, slowest, held] = [0, 0, 0];
  let pack = [];
  const flush = async () => {
    const answer = await page.evaluate(async (files) => {
      const out = { slowest: 0, without: [] };
      globalThis.longest = 0;
      for (const f of files) {
        out.slowest = Math.max(out.slowest, await globalThis.dropped(f.name, f.base64));
        if (!document.querySelector('#report') || !document.querySelector('#engine')) out.without.push(f.name);
      }
      return { ...out, held: globalThis.longest };
    }, pack.map(({ name, data }) => ({ name, base64: data.toString('base64') })));
    assert.deepEqual(answer.without, []);
    // The first file brings Python.
    if (count) [slowest, held] = [Math.max(slowest, answer.slowest), Math.max(held, answer.held)];
    count += pack.length;
    await debug.send('HeapProfiler.collectGarbage');
    memory.push(resident(pid));
    pack = [];
  };
  for (const file of given()) {
    pack.push(file);
    if (pack.length === PACK) await flush();
  }
  if (pack.length) await flush();
  const middle = memory[Math.floor(memory.length / 2)];
  const end = memory[memory.length - 1];
  t.diagnostic(`${count} files; the slowest took ${slowest.toFixed(0)} ms, the page was held for ${held.toFixed(0)} ms; `
    + `memory ${memory[0].toFixed(0)}, ${middle.toFixed(0)}, ${end.toFixed(0)} MB`);
  assert.deepEqual(faults, []);
  assert.ok(held <= HELD, `the page was held for ${held} ms`);
  assert.ok(end - middle <= GROWTH, `memory grew from ${middle} to ${end} MB`);
});
