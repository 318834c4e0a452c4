// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// How long the page takes, in Chromium: `node tools/page/times.mjs [WEIGHTS] [ROUNDS]`, of build/page.
// Each round opens a fresh page, drops the file with the first look at Python, and then again. Printed are the least and the
// median, in milliseconds: `seen` until the engine's verdict and all that needs no Python is painted, `work` of it that the
// page's own thread had the processor (which other programs do not lengthen), `cold` and `warm` until the whole report is there.

import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { launch, serve, skip, visit } from '../../tests/page/browser.mjs';

const [file = 'weights/facex_xs.bin', rounds = '5'] = process.argv.slice(2);
if (skip) {
  console.log(`times: ${skip}`);
  process.exit(1);
}
const base64 = readFileSync(file).toString('base64');
const [server, browser] = [await serve(), await launch()];

/** @type {Record<string, number[]>} */
const all = { seen: [], work: [], cold: [], again: [], warm: [] };
for (let round = 0; round < Number(rounds); round++) {
  const { context, page } = await visit(browser, server);
  const debug = await context.newCDPSession(page);
  await debug.send('Performance.enable', { timeDomain: 'threadTicks' });
  const worked = async () => 1000 * (await debug.send('Performance.getMetrics')).metrics.find((m) => m.name === 'TaskDuration').value;
  await page.evaluate((text) => {
    globalThis.given = new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], 'given.bin');
    globalThis.dropped = (state) => new Promise((done) => {
      const moved = new DataTransfer();
      moved.items.add(globalThis.given);
      const began = performance.now();
      new MutationObserver((_, own) => {
        if (document.documentElement.dataset.state !== state) return;
        own.disconnect();
        // Painted: a frame, and then what follows it.
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
      }).observe(document.documentElement, { attributes: true });
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: moved, bubbles: true, cancelable: true }));
    });
  }, base64);
  const before = await worked();
  all.seen.push(await page.evaluate(() => globalThis.dropped('seen')));
  all.work.push(await worked() - before);
  await page.waitForSelector('html[data-state=done]');
  all.cold.push(await page.evaluate(() => performance.getEntriesByName('checked')[0].duration));
  all.again.push(await page.evaluate(() => globalThis.dropped('seen')));
  await page.waitForSelector('html[data-state=done]');
  all.warm.push(await page.evaluate(() => performance.getEntriesByName('checked')[0].duration));
  await context.close();
}
await browser.close();
server.close();
const load = loadavg()[0];
for (const [name, values] of Object.entries(all)) {
  values.sort((a, b) => a - b);
  console.log(`${name}: least ${values[0].toFixed(0)}, median ${values[values.length >> 1].toFixed(0)} ms`);
}
console.log(`${file}, ${rounds} rounds, load ${load.toFixed(1)}${load > 1 ? ': other programs were at work, the times are worth little' : ''}`);
