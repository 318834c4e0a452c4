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
/** Files between two looks at memory. */
const PACK = 50;
/** Of a damaged file, so that there is time for many. */
const LONGEST = 200_000;
/** Milliseconds that the page's thread may work for a file, so that it never holds the user up for longer. Those of the
 * processor: what other programs of the machine take is not the page's. */
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
    globalThis.give = (name, base64) => {
      globalThis.given = new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name);
    };
    globalThis.dropped = () => new Promise((done, fail) => {
      const moved = new DataTransfer();
      moved.items.add(globalThis.given);
      const began = performance.now();
      const timer = setTimeout(() => fail(new Error('it takes too long')), 120_000);
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
  await debug.send('Performance.enable', { timeDomain: 'threadTicks' });
  /** Milliseconds of the processor that the page's own thread has worked. */
  const worked = async () => 1000 * (await debug.send('Performance.getMetrics')).metrics
    .find((m) => m.name === 'TaskDuration').value;
  const memory = [];
  let [count, slowest, held, busiest, worst] = [0, 0, 0, 0, ''];
  for (const { name, data } of given()) {
    // The test's own work is not the page's.
    await page.evaluate(([file, base64]) => globalThis.give(file, base64), [name, data.toString('base64')]);
    const before = await worked();
    const answer = await page.evaluate(async () => {
      globalThis.longest = 0;
      const took = await globalThis.dropped();
      return { took, held: globalThis.longest, whole: ['#report', '#engine'].every((part) => document.querySelector(part)) };
    });
    assert.ok(answer.whole, name);
    const busy = await worked() - before;
    // The first file brings Python.
    if (count) [slowest, held] = [Math.max(slowest, answer.took), Math.max(held, answer.held)];
    if (count && busy > busiest) [busiest, worst] = [busy, name];
    count += 1;
    if (count % PACK === 0) {
      // Each worker has a heap of its own, which grows until it thinks that collecting pays.
      for (const one of [page, ...page.workers()]) await one.evaluate(() => globalThis.gc());
      memory.push(resident(pid));
    }
  }
  const middle = memory[Math.floor(memory.length / 2)];
  const end = memory[memory.length - 1];
  t.diagnostic(`${count} files; the slowest took ${slowest.toFixed(0)} ms, the page was held for ${held.toFixed(0)} ms, `
    + `by ${busiest.toFixed(0)} ms of work (${worst}); memory ${memory[0].toFixed(0)}, ${middle.toFixed(0)}, ${end.toFixed(0)} MB`);
  assert.deepEqual(faults, []);
  assert.ok(busiest > 0 && busiest <= HELD, `the page worked ${busiest} ms for ${worst}`);
  assert.ok(end - middle <= GROWTH, `memory grew from ${middle} to ${end} MB`);
});
