// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Every file of the conformance kit in the real browser: the same JSON as the command line, byte
// for byte, and the quick view beside `efm3 inspect`.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, ROOT, serve, skip, visit } from './browser.mjs';

const CASES = process.env.EFM3_PAGE_CASES ?? join(ROOT, 'build/page-cases');
const EXPECTED = join(CASES, 'expected.jsonl');
const without = skip || (!existsSync(EXPECTED) && 'no cases: python -m tools.page.expected build/page-cases');
const AT_ONCE = 50;

let browser;
let server;
let rows;

before(async () => {
  if (without) return;
  rows = readFileSync(EXPECTED, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  server = await serve();
  browser = await launch();
});
after(async () => { await browser?.close(); server?.close(); });

/** What is wrong with any of the files: all are looked at. */
const wrong = [];
const check = (compare) => {
  try { compare(); } catch (e) { wrong.push(e.message.slice(0, 600)); }
};

/** The cases in packs, each with its bytes. */
function* packs() {
  for (let at = 0; at < rows.length; at += AT_ONCE) {
    yield rows.slice(at, at + AT_ONCE).map((row) => ({ row,
      base64: readFileSync(join(CASES, 'files', row.name)).toString('base64') }));
  }
}

test('the report is the command line\'s, byte for byte, on every file of the kit', { skip: without }, async () => {
  const { page, faults, context } = await visit(browser, server);
  let compared = 0;
  for (const pack of packs()) {
    const got = await page.evaluate(async (files) => {
      const { python } = await import('./workers.js');
      const { validating } = await import('./saving.js');
      const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      const held = await python.ask('put', { files: files.map((f) => ({ name: f.name, bytes: bytes(f.base64) })) });
      const out = [];
      for (const name of held) out.push((await python.ask('run', { words: validating('json', name) })).out);
      return out;
    }, pack.map(({ row, base64 }) => ({ name: row.name, base64 })));
    pack.forEach(({ row }, n) => check(() => assert.equal(got[n], row.report, row.name)));
    compared += pack.length;
  }
  assert.deepEqual(wrong.splice(0), []);
  assert.ok(compared > 1000, `${compared} files`);
  assert.deepEqual(faults, []);
  await context.close();
});

/** A number that is not written as an integer is its text in the page. */
const plain = (value) => (typeof value === 'string' && /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(value)
  && /[.eE]/.test(value) ? Number(value) : value ?? null);

test('the view that is there at once agrees with efm3 inspect', { skip: without }, async () => {
  const { page, context } = await visit(browser, server);
  let facts = 0;
  for (const pack of packs()) {
    const got = await page.evaluate(async (files) => {
      const { read } = await import('./reader.js');
      const { coherence } = await import('./coherence.js');
      const { engine } = await import('./workers.js');
      const out = [];
      for (const f of files) {
        const bytes = Uint8Array.from(atob(f.base64), (c) => c.charCodeAt(0));
        const r = read(bytes);
        const looked = await engine.ask('look', { key: f.name, bytes });
        out.push({ fields: r.fields, layers: r.layers, tensors: r.tensors, coherence: coherence(r),
          statistics: looked.statistics });
      }
      return JSON.stringify(out);
    }, pack.map(({ row, base64 }) => ({ name: row.name, base64 })));
    JSON.parse(got).forEach((seen, n) => check(() => {
      const { row } = pack[n];
      assert.deepEqual(seen.fields.map((f) => [f.path, f.offset, f.length, f.doc, f.value]),
        row.bytes.map((b) => [b.path, b.offset, b.length, b.doc, b.value]), row.name);
      assert.deepEqual(seen.layers.map((x) => [x.name, x.kind, x.stage, x.block, x.layer, x.shape, x.stride, x.act,
        x.residual, x.inSide, x.outSide, x.parameters, x.macs]),
      row.topology_of_header.map((x) => [x.name, x.kind, x.stage, x.block, x.layer, x.shape, x.stride, x.act,
        x.residual, x.in_side, x.out_side, x.parameters, x.macs]), row.name);
      assert.deepEqual(seen.tensors.map((t) => [t.name, t.at, t.size, t.present, t.shape]),
        row.tensors.map((t) => [t.name, t.offset, t.size, t.present, t.shape]), row.name);
      row.tensors.forEach((t, i) => {
        const s = seen.statistics[i];
        for (const key of ['min', 'max', 'mean', 'std', 'nan', 'inf']) {
          // To the last bit: every program sums in one order.
          assert.equal(s[key], t[key], `${row.name} ${t.name} ${key}: ${s[key]} ${t[key]}`);
        }
      });
      if (row.mirror_is_json) {
        assert.deepEqual(seen.coherence.map((f) => [f.path, f.header ?? null, plain(f.mirror), f.table ?? null, f.agree]),
          row.coherence.map((f) => [f.path, f.header, f.mirror, f.table, f.agree]), row.name);
        facts += row.coherence.length;
      }
    }));
  }
  assert.deepEqual(wrong.splice(0), []);
  assert.ok(facts > 10_000, `${facts} facts`);
  await context.close();
});

test('the drawing is the one of efm3 report', { skip: without }, async () => {
  const { page, context } = await visit(browser, server);
  const expected = JSON.parse(readFileSync(join(CASES, 'drawings.json'), 'utf8'));
  assert.equal(Object.keys(expected).length, 5);
  for (const [name, { prefix, drawing }] of Object.entries(expected)) {
    const got = await page.evaluate(async (hex) => {
      const [reader, topology] = await Promise.all([import('./reader.js'), import('./topology.js')]);
      return topology.drawing(reader.read(Uint8Array.from(hex.match(/../g), (b) => parseInt(b, 16))).layers);
    }, prefix);
    delete drawing.about;
    assert.deepEqual(got, drawing, name);
  }
  await context.close();
});
