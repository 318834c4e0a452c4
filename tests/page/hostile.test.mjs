// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The kit's files and damaged ones through one page, dropped one after the other: nothing raises,
// nothing holds the page up, and memory stays as it was. EFM3_PAGE_FILES says how many damaged ones;
// from 1000 on all files of the kit come before them, else every fourth.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { launchServer, PAGE, ROOT, serve, skip, visit } from './browser.mjs';
import { holding, resident, sum } from './memory.mjs';

const FILES = join(process.env.EFM3_PAGE_CASES ?? join(ROOT, 'build/page-cases'), 'files');
const without = skip || (!existsSync(FILES) && 'no cases: python -m tools.page.expected build/page-cases');
const DAMAGED = Number(process.env.EFM3_PAGE_FILES ?? 200);
const EVERY = DAMAGED < 1000 ? 4 : 1;
/** How the names of damaged files begin. */
const BROKEN = 'damaged-';
/** Files between two looks at memory, and between two lines about it. */
const [PACK, TOLD] = [20, 500];
/** Of a damaged file, so that there is time for many. */
const LONGEST = 200_000;
/** Milliseconds that the page's thread may work for a file, so that it never holds the user up for longer. Those of the
 * processor: what other programs of the machine take is not the page's. */
const HELD = Number(process.env.EFM3_PAGE_HELD ?? 1000);
/** Growth from the first half of the damaged files to the second, when garbage is collected, MB: of what all processes of the browser
 * have, and of what the page's programs hold. Of each half the least counts: what is kept stays, while of what is not some MB may be
 * there for a while, for the file before or for programs that have just been compiled. */
const [GROWTH, HELD_GROWTH] = [64, 2];

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

/** Files of the kit, and damaged ones. */
function* given() {
  const names = readdirSync(FILES).sort();
  const size = (name) => statSync(join(FILES, name)).size;
  // The largest first, which a short run may leave out: WebAssembly's memories never shrink.
  const name = names.reduce((a, b) => (size(a) >= size(b) ? a : b));
  yield { name, data: readFileSync(join(FILES, name)) };
  const bases = [];
  for (const [n, name] of names.entries()) {
    const data = readFileSync(join(FILES, name));
    if (data.length > 100 && data.length < LONGEST) bases.push(data);
    if (n % EVERY === 0) yield { name, data };
  }
  for (let n = 0; n < DAMAGED; n++) yield { name: `${BROKEN}${n}.bin`, data: damaged(bases[below(bases.length)]) };
}

/** What is on the screen while memory is looked at: always the same. */
const USUAL = { name: 'usual.bin', data: readFileSync(join(ROOT, 'weights/facex_nano.bin')) };

/**
 * A page to which files are given as a user does. They come from the disk: what goes to a page by the debugging protocol is
 * kept in the page's process for long, as the words of a program or as the answer of a server.
 */
async function opened(t, changed = {}) {
  const server = await serve({}, changed);
  const { browser, pid, close } = await launchServer();
  const folder = mkdtempSync(join(tmpdir(), 'efm3-page-'));
  t.after(async () => { await close(); server.close(); rmSync(folder, { recursive: true }); });
  const { page, context, faults } = await visit(browser, server);
  const debug = await context.newCDPSession(page);
  const held = await holding(debug);
  await page.evaluate(() => {
    const state = document.documentElement.dataset;
    globalThis.longest = 0;
    let last = performance.now();
    setInterval(() => {
      const now = performance.now();
      globalThis.longest = Math.max(globalThis.longest, now - last);
      last = now;
    }, 20);
    globalThis.from = Object.assign(document.createElement('input'), { type: 'file' });
    globalThis.dropped = () => new Promise((done, fail) => {
      const moved = new DataTransfer();
      moved.items.add(globalThis.from.files[0]);
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
  const { result: { objectId } } = await debug.send('Runtime.evaluate', { expression: 'from' });
  await debug.send('Performance.enable', { timeDomain: 'threadTicks' });
  /** Milliseconds of the processor that the page's own thread has worked. */
  const worked = async () => 1000 * (await debug.send('Performance.getMetrics')).metrics
    .find((m) => m.name === 'TaskDuration').value;
  /** Drops a file; how long it took and held the page. @param {{name: string, data: Buffer}} file */
  const give = async ({ name, data }) => {
    const path = join(folder, name);
    writeFileSync(path, data);
    await debug.send('DOM.setFileInputFiles', { files: [path], objectId });
    const before = await worked();
    const answer = await page.evaluate(async () => {
      globalThis.longest = 0;
      const took = await globalThis.dropped();
      return { took, held: globalThis.longest, whole: ['#report', '#engine'].every((part) => document.querySelector(part)) };
    });
    unlinkSync(path);
    assert.ok(answer.whole, name);
    return { ...answer, busy: await worked() - before };
  };
  /** What is taken by process, and held by program, with the usual file on the screen. */
  const look = async () => {
    await give(USUAL);
    // Now and then the file before is still there, until something is drawn: the least counts, for what is kept stays.
    let least = await held();
    for (let n = 0; n < 2; n++) {
      await page.waitForTimeout(200);
      const again = await held();
      if (sum(again) < sum(least)) least = again;
    }
    return { held: least, taken: resident(pid) };
  };
  return { page, give, look, faults };
}

const told = (parts) => Object.entries(parts).map(([name, n]) => `${name} ${n.toFixed(1)}`).join(', ');

test('the kit\'s files and damaged ones', { skip: without, timeout: 7_200_000 }, async (t) => {
  const { page, give, look, faults } = await opened(t);
  // At memory it looks once the kit is through, whose files are of all sizes: WebAssembly's memories never shrink.
  const looks = [];
  let [count, slowest, held, busiest, worst] = [0, 0, 0, 0, ''];
  for (const file of given()) {
    const answer = await give(file);
    // The first file brings Python.
    if (count) [slowest, held] = [Math.max(slowest, answer.took), Math.max(held, answer.held)];
    if (count && answer.busy > busiest) [busiest, worst] = [answer.busy, file.name];
    count += 1;
    if (count % PACK === 0 && file.name.startsWith(BROKEN)) {
      const seen = await look();
      looks.push(seen);
      if (count % TOLD === 0) console.log(`${count} files: held ${told(seen.held)}; taken ${told(seen.taken)} MB`);
    }
  }
  const middle = Math.floor(looks.length / 2);
  const [taken, kept] = ['taken', 'held'].map((what) => [looks.slice(0, middle), looks.slice(middle)].map((half) => (
    Math.min(...half.map((one) => sum(one[what]))))));
  const words = (numbers) => numbers.map((n) => n.toFixed(1)).join(', ');
  t.diagnostic(`${count} files; the slowest took ${slowest.toFixed(0)} ms, the page was held for ${held.toFixed(0)} ms, `
    + `by ${busiest.toFixed(0)} ms of work (${worst}); memory ${words(taken)} MB, of it held ${words(kept)} MB`);
  assert.deepEqual(faults, []);
  // Of each of these Chromium keeps some words for ever, few for a file, but between all else: see page/dom.js.
  assert.equal(await page.locator('table').count() > 0, true);
  assert.equal(await page.locator('thead, tfoot').count(), 0);
  assert.ok(busiest > 0 && busiest <= HELD, `the page worked ${busiest} ms for ${worst}`);
  assert.ok(taken[1] - taken[0] <= GROWTH, `memory grew from ${taken[0]} to ${taken[1]} MB`);
  assert.ok(kept[1] - kept[0] <= HELD_GROWTH, `what the page holds grew from ${kept[0]} to ${kept[1]} MB`);
});

test('what a page or a worker keeps of each file is seen', { skip: without, timeout: 600_000 }, async (t) => {
  const changed = (name, words, others) => {
    const text = readFileSync(join(PAGE, name), 'utf8');
    assert.equal(text.split(words).length, 2, name);
    return { [`/${name}`]: text.replace(words, others) };
  };
  const { give, look } = await opened(t, {
    ...changed('file-view.js', 'this.changed = () => {};', 'this.changed = () => {}; (globalThis.kept ??= []).push(this);'),
    ...changed('engine-worker.js', 'engine?.close();', '(globalThis.kept ??= []).push(engine);'),
    ...changed('python-worker.js', 'py.FS.writeFile(`', '(globalThis.kept ??= []).push(f.bytes); py.FS.writeFile(`'),
  });
  const before = (await look()).held;
  // Python has its memory once, although it starts from a copy.
  const memory = Number(/const MEMORY = (\d+);/.exec(readFileSync(join(PAGE, 'python-worker.js'), 'utf8'))[1]) / 1e6;
  assert.ok(before['python-worker.js'] < 2 * memory, `Python holds ${before['python-worker.js']} MB, its memory has ${memory}`);
  const file = { name: 'kept.bin', data: readFileSync(join(ROOT, 'weights/facex_nano.bin')) };
  const files = Math.ceil((3 * HELD_GROWTH * 1e6) / file.data.length);
  for (let n = 0; n < files; n++) await give(file);
  const after = (await look()).held;
  for (const name of ['page', 'engine-worker.js', 'python-worker.js']) {
    assert.ok(after[name] - before[name] > HELD_GROWTH, `${name}: ${before[name]}, ${after[name]} MB`);
  }
  t.diagnostic(`${files} files: held ${told(before)}, then ${told(after)} MB`);
});
