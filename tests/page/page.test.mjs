// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The page as its users meet it, in the real browser.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { choose, drop, launch, named, ROOT, serve, skip, visit } from './browser.mjs';

const NANO = readFileSync(join(ROOT, 'weights/facex_nano.bin'));
const LFS = Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:'
  + `${'4d7a2146'.repeat(8)}\nsize 828144\n`);
const PARAM = Buffer.from('7767517\n2 2\nInput data 0 1 data 0=112 1=112 2=3\nConvolution c 1 1 data o 0=8 1=3 6=216\n');

let browser;
let server;
let spared = 0;
before(async () => {
  if (skip) return;
  server = await serve();
  browser = await launch();
});
after(async () => { await browser?.close(); server?.close(); });

/** A test with a fresh page, in which nothing may go wrong unseen. */
const seen = (name, body, more = {}) => test(name, { skip }, async () => {
  const { context, page, faults } = await visit(browser, server, more);
  try {
    await body(page, context);
    assert.deepEqual(faults, []);
  } finally {
    await context.close();
  }
});

const text = (page, where) => page.locator(where).innerText();

seen('the first load is small, and asks for nothing but its own files', async (page) => {
  const names = await page.evaluate(() => {
    const ready = performance.getEntriesByName('ready')[0].startTime;
    return performance.getEntriesByType('resource').filter((r) => r.startTime <= ready).map((r) => r.name);
  });
  const own = [server.url, ...names].map((url) => new URL(url).pathname);
  let packed = 0;
  for (const path of new Set(own)) packed += gzipSync(await (await fetch(server.url + path.slice(1))).bytes()).length;
  assert.ok(own.length > 10 && packed <= 60 * 1024, `${packed} bytes in ${own.length} files`);
  assert.ok(!own.some((path) => /wasm|pyodide|python|engine/.test(path)), String(own));
});

seen('Python is there before the first file', async (page) => {
  const facts = await page.evaluate(async () => {
    const { begun, facts: said } = await import('./workers.js');
    await begun;
    return said;
  });
  assert.ok(facts.rules > 100 && facts.level === 'values', JSON.stringify(facts));
});

seen('whoever spares what is loaded gets Python with the first file', async (page) => {
  await page.waitForTimeout(1500);
  assert.ok(!server.asked.slice(spared).some((path) => /python|pyodide|engine/.test(path)));
  await choose(page, [named('mine.bin', NANO)]);
  assert.match(await text(page, '#report'), /Valid/);
}, { before: (context) => {
  spared = server.asked.length;
  return context.addInitScript(() => Object.defineProperty(navigator, 'connection', { value: { saveData: true } }));
} });

test('without the memory of Python all is imported', { skip }, async () => {
  const said = [];
  const { context, page, faults } = await visit(browser, server, { before: (made) => {
    made.on('console', (m) => said.push(m.text()));
    return made.route('**/python.memory', (route) => route.fulfill({ status: 200, body: 'no gzip' }));
  } });
  await choose(page, [named('mine.bin', NANO)]);
  assert.match(await text(page, '#report'), /Valid/);
  assert.ok(said.some((words) => words.includes('without its memory')), String(said));
  assert.deepEqual(faults, []);
  await context.close();
});

seen('a dropped file: verdict, report, drawing, tensors, bytes', async (page) => {
  await drop(page, [{ name: 'mine.bin', base64: NANO.toString('base64') }]);
  assert.match(await text(page, '#engine'), /The engine opens it/);
  assert.match(await text(page, '#report'), /Valid/);
  assert.match(await text(page, '#label'), /nano[^]*198,624 parameters/);
  assert.match(await text(page, '#coherence'), /All that more than one part/);
  await page.waitForFunction(() => document.querySelectorAll('#tensors tbody:last-child tr').length === 283);
  assert.equal(await page.locator('.topology .bar').count(), 50);
  // From a field to its bytes, and from a byte to its field.
  // A text field makes Chromium ask a server of its maker's what to fill in.
  assert.equal(await page.locator('input:not([type=file]), select, textarea').count(), 0);
  await page.click('#find');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'sought');
  await page.fill('#sought', 'stage1.block0.dw.conv.w');
  await page.locator('.fields button').last().click();
  assert.match(await text(page, '#meaning'), /stage1\.block0\.dw\.conv\.w float32, value 0 = /);
  await page.fill('#sought', '14');
  assert.match(await text(page, '#meaning'), /byte 14 \(0xe\): arch\.block_channels/);
  await page.locator('[data-byte="16"]').click();
  assert.match(await text(page, '#meaning'), /arch\.final_channels = 184/);
  assert.equal(await page.locator('.byte.same').count(), 2);
  await page.locator('.hex').press('ArrowDown');
  assert.match(await text(page, '#meaning'), /byte 32/);
  // The drawing by keyboard.
  await page.locator('.topology').press('End');
  assert.match(await text(page, '#layer'), /embed_proj: pointwise/);
  await page.locator('.topology').press('Enter');
  assert.match(await text(page, '#meaning'), /embed_proj\.conv\.w/);
});

seen('a broken file: the place, and how to mend it', async (page) => {
  const broken = Buffer.from(NANO);
  broken.writeUInt16LE(0, 12);
  await choose(page, [named('broken.bin', broken)]);
  assert.match(await text(page, '#engine'), /refuses it: E_HEADER at byte 12/);
  const first = page.locator('.finding.error').first();
  assert.match(await first.innerText(), /stem_channels[^]*Fix: /);
  await first.locator('.link').click();
  assert.match(await text(page, '#meaning'), /arch\.stem_channels = 0/);
  await first.locator('summary').click();
  await page.waitForFunction(() => document.querySelector('.explained')?.textContent?.includes('clause'));
  assert.match(await first.locator('a').getAttribute('href'), /^\.\.\/docs\/codes\/[A-Z]\d+\/$/);
});

seen('files of other kinds: what they are, and the command that converts them', async (page) => {
  await choose(page, [named('pointer.bin', LFS)]);
  assert.match(await text(page, '#verdict'), /Git LFS pointer[^]*git lfs pull/);
  const weights = Buffer.concat([Buffer.from([0x47, 0x6b, 0x30, 0x01]), NANO.subarray(400, 1300)]);
  await choose(page, [named('face.bin', weights), named('face.param', PARAM)]);
  assert.match(await text(page, '#verdict'), /ncnn[^]*efm3 convert face\.param OUT\.bin/);
  assert.match(await text(page, '#diff'), /nothing to compare: face\.bin and face\.param are no EFM3 files/);
  // Its bytes have no names of ours.
  assert.match(await text(page, '#bytes'), /byte 0 \(0x0\) is 71/);
  assert.equal(await page.locator('.fields').count(), 0);
  await choose(page, [named('empty.bin', Buffer.alloc(0))]);
  assert.match(await text(page, '#verdict'), /an empty file/);
});

seen('two files are compared', async (page) => {
  const other = Buffer.from(NANO);
  other[other.length - 2] ^= 1;
  await choose(page, [named('a.bin', NANO), named('b.bin', other)]);
  assert.match(await text(page, '#diff'), /1 of 283 tensors[^]*embed_proj\.bn\.var/);
  await page.selectOption('#side-b', '0');
  await page.waitForFunction(() => document.querySelector('#diff')?.textContent?.includes('same bytes'));
  await page.locator('#tabs button').nth(1).click();
  assert.match(await text(page, '#verdict'), /b\.bin/);
});

seen('reports are saved', async (page) => {
  await choose(page, [named('mine.bin', NANO)]);
  for (const [form, sign] of [['json', '"report_version"'], ['sarif', 'sarif-2.1.0'], ['html', '<!doctype html>']]) {
    const saved = page.waitForEvent('download');
    await page.locator(`[data-form=${form}]`).click();
    const file = await saved;
    assert.equal(file.suggestedFilename(), `mine.bin.${form}`);
    assert.ok(readFileSync(await file.path(), 'utf8').includes(sign), form);
  }
});

seen('pictures through the engine, aligned by five points, and the camera', async (page) => {
  await choose(page, [named('mine.bin', NANO)]);
  await page.getByRole('button', { name: 'Drawn faces' }).click();
  await page.waitForFunction(() => document.querySelectorAll('.similar tbody:last-child tr').length === 4);
  const cell = async (row, column) => Number(await page.locator('.similar tbody:last-child tr').nth(row).locator('td').nth(column).innerText());
  // `efm3 compare` gives the same to three digits (docs/compare.svg).
  const [same, other] = [await cell(0, 1), await cell(0, 2)];
  assert.ok(same > 0.5 && other < 0.5 && Math.abs(await cell(0, 0) - 1) < 1e-6, `${same} ${other}`);
  assert.match(await text(page, '.faces li >> nth=0'), /ms, as it is/);
  // The template's own points change nothing.
  await page.locator('.faces li').nth(0).getByText('Five points').click();
  const points = await page.evaluate(async () => (await import('./declared.js')).declared.template);
  for (const [x, y] of points) await page.locator('.aligning').click({ position: { x: x + 0.5, y: y + 0.5 } });
  await page.waitForFunction(() => document.querySelector('.faces')?.textContent?.includes('aligned by five points'));
  assert.ok(Math.abs(await cell(0, 1) - same) < 0.05);
  await page.getByRole('button', { name: 'Use the camera' }).click();
  await page.getByRole('button', { name: 'Take a picture' }).click();
  await page.waitForFunction(() => document.querySelectorAll('.faces li').length === 5);
  await page.getByRole('button', { name: 'Stop the camera' }).click();
  assert.equal(await page.locator('video').count(), 0);
}, { permissions: ['camera'] });

seen('hostile names and texts stay text', async (page) => {
  const names = ['<img src=x onerror=alert(1)>.bin', '"><script>alert(1)</script>.bin', '--json', '-', '-h.bin', '$(id).bin',
    '\u202egnp.bin', '\u001b[31mred.bin', `${'a'.repeat(300)}.bin`, 'a/../b.bin', '\'"`\\.bin', 'é漢😀.bin', '&lt;b&gt;'];
  const mirror = Buffer.from(JSON.stringify({ name: '<b id=planted>x</b>', meta: { source: '<img id=planted src=x onerror=alert(1)>',
    licence: '\u202e</dd><script id=planted></script>', description: { a: ['<i id=planted>'] } } }));
  const hurt = Buffer.concat([NANO.subarray(0, 88), Buffer.from([mirror.length & 255, mirror.length >> 8, 0, 0]), mirror,
    NANO.subarray(92 + NANO.readUInt32LE(88))]);
  page.on('dialog', () => assert.fail('a dialog'));
  await choose(page, names.map((name) => named(name, hurt)));
  for (let n = 0; n < names.length; n++) {
    await page.locator('#tabs button').nth(n).click();
    await page.waitForFunction((i) => document.querySelectorAll('#tabs button')[i].getAttribute('aria-current') === 'true', n);
    await page.waitForSelector('#shown .finding');
    const strange = await page.evaluate(() => [...document.querySelectorAll('#planted, img, script:not([src]), iframe, b, i, [onerror]')].length);
    assert.equal(strange, 0, names[n]);
  }
  const shown = await text(page, 'body');
  assert.ok(shown.includes('<img id=planted src=x onerror=alert(1)>') && !/[\u202e\u001b]/.test(shown));
});

for (const colorScheme of ['light', 'dark']) {
  seen(`no serious finding of axe, ${colorScheme}`, async (page) => {
    const axe = readFileSync(createRequire(join(ROOT, 'build/browser/node_modules/x.js')).resolve('axe-core/axe.min.js'), 'utf8');
    const broken = Buffer.from(NANO);
    broken[4] = 9;
    for (const files of [null, [named('mine.bin', NANO)], [named('a.bin', broken), named('b.bin', NANO)]]) {
      if (files) await choose(page, files);
      if (files) for (const node of await page.locator('details').all()) await node.evaluate((d) => { d.open = true; });
      // By the debugger, which no policy of the page stops.
      await page.evaluate(axe);
      const found = await page.evaluate(async () => (await globalThis.axe.run()).violations
        .map((v) => `${v.impact} ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(' | ')}`));
      assert.deepEqual(found.filter((f) => /^(serious|critical)/.test(f)), []);
    }
  }, { colorScheme });
}

seen('a phone is wide enough', async (page) => {
  // A number of eight digits makes a table wider than the page; it scrolls in itself.
  const many = Buffer.from(NANO);
  many.writeUInt32LE(0x01000060, 92 + NANO.readUInt32LE(88));
  await choose(page, [named('many.bin', many)]);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await choose(page, [named(`${'long_name_'.repeat(12)}.bin`, NANO), named('b.bin', NANO.subarray(0, 5000))]);
  const [inner, whole] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
  assert.ok(whole <= inner, `${whole} > ${inner}`);
}, { viewport: { width: 390, height: 844 } });

test('without a network after the first visit', { skip }, async () => {
  const own = await serve();
  const { context, page } = await visit(browser, own, { serviceWorkers: 'allow' });
  await page.evaluate(async () => { await navigator.serviceWorker.ready; });
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null, null, { timeout: 120_000 });
  own.close();
  await context.setOffline(true);
  await page.reload();
  await page.waitForSelector('html[data-state=ready]');
  await choose(page, [named('mine.bin', NANO)]);
  assert.match(await text(page, '#engine'), /The engine opens it/);
  assert.match(await text(page, '#report'), /Valid/);
  await context.close();
});
