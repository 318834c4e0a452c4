// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// node --expose-gc package.mjs WEIGHTS, in a folder where the package is installed.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { Efm3Error, Engine, open, rgb, row, scan, similarity } from 'efm3-engine';

const path = process.argv[2];
const bytes = await readFile(path);
const picture = Uint8Array.from({ length: 37632 }, (_, i) => (i * 7919) & 255);
const refuses = (code, more = {}) => (error) => {
  assert(error instanceof Efm3Error && error instanceof Error, error);
  assert.equal(error.code, code);
  for (const [key, value] of Object.entries(more)) assert.equal(error[key], value, key);
  return true;
};

// Every kind of source gives the same engine.
const server = createServer((request, response) => {
  if (request.url === '/zeros') {
    // For ever, unless the reader stops.
    const zeros = Buffer.alloc(1 << 16);
    const more = () => { while (!response.destroyed && response.write(zeros)); };
    response.on('drain', more);
    more();
  } else if (request.url === '/weights') response.end(bytes);
  else response.writeHead(404).end();
}).listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
const address = `http://127.0.0.1:${server.address().port}`;
const sources = [path, pathToFileURL(path), bytes, bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length), new Blob([bytes]), new Response(bytes), `${address}/weights`];
const seen = new Set();
for (const source of sources) {
  const engine = await open(source);
  assert(engine instanceof Engine);
  seen.add(String(engine.embed(picture)));
  engine.close();
}
assert.equal(seen.size, 1);
await assert.rejects(open(`${address}/nothing`), refuses('E_OPEN', { source: `${address}/nothing` }));
await assert.rejects(open(`${address}/zeros`), refuses('E_MAGIC', { offset: 0 }));
await assert.rejects(open('/no/such/file'), refuses('E_OPEN', { source: '/no/such/file', status: -2 }));
await assert.rejects(open('.'), refuses('E_NOT_REGULAR'));
await assert.rejects(open(42), TypeError);
await assert.rejects(open(bytes, { precision: 'f64' }), TypeError);
await assert.rejects(open(bytes, { row: 'avx2' }), TypeError);
server.closeAllConnections();
server.close();

// A broken file: where, what, and what should be.
const cut = bytes.subarray(0, 5000);
await assert.rejects(open(cut), refuses('E_TRUNCATED', { offset: 5000, found: 5000, expected: bytes.length }));
await assert.rejects(open(new Blob([bytes, bytes])), refuses('E_TRAILING', { offset: bytes.length, found: 2 * bytes.length, expected: bytes.length }));
const wrong = Uint8Array.from(bytes);
wrong[10] = 16;
await assert.rejects(open(wrong), refuses('E_HEADER', { offset: 10, path: 'arch.stem_kernel', found: 16, expected: '1..15, odd' }));
assert.equal((await scan(wrong)).error.code, 'E_HEADER');
assert.equal((await scan(new Uint8Array(0))).error.code, 'E_TRUNCATED');

// Pictures.
const engine = await open(bytes);
assert.equal(engine.info.isa, row());
const layers = engine.layers;
assert.equal(layers.length, engine.info.layers);
assert.equal(layers[0].name, 'stem');
assert.equal(layers.reduce((sum, l) => sum + l.macs, 0), engine.info.macs);
const one = engine.embed(picture);
assert.equal(one.length, engine.info.embeddingDim);
assert(Math.abs(similarity(one, one) - 1) < 1e-6);
const floats = new Float32Array(picture.length);
for (let i = 0; i < 12544; i++) for (let c = 0; c < 3; c++) floats[c * 12544 + i] = (picture[3 * i + c] - 127.5) / 128;
assert.deepEqual(engine.embed(floats), one);
const three = engine.batch(Uint8Array.from([...picture, ...picture.map((p) => 255 - p), ...picture]));
assert.deepEqual(three.subarray(0, one.length), one);
assert.deepEqual(three.subarray(2 * one.length), one);
assert.notDeepEqual(three.subarray(one.length, 2 * one.length), one);
assert.deepEqual(engine.batch(new Uint8ClampedArray(0)), new Float32Array(0));
for (const bad of [new Uint8Array(5), new Float64Array(37632), null, new Uint8Array(2 * 37632)]) assert.throws(() => engine.embed(bad), TypeError);
assert.deepEqual(rgb({ data: [1, 2, 3, 255, 4, 5, 6, 0] }), Uint8Array.of(1, 2, 3, 4, 5, 6));
assert.throws(() => similarity([1], [1, 2]), TypeError);
for (const precision of ['high', 'fast']) {
  const less = await open(bytes, { precision });
  assert.equal(less.info.precision, precision);
  assert(similarity(less.embed(picture), one) > 0.999);
  less.close();
}
engine.close();
engine.close();
for (const use of [() => engine.info, () => engine.layers, () => engine.embed(picture)]) assert.throws(use, refuses('E_STATE', { status: -17 }));

// Memory: what is closed, refused, scanned or forgotten is used again.
const before = process.memoryUsage().rss;
for (let i = 0; i < 300; i++) {
  await assert.rejects(open(cut), Efm3Error);
  await scan(cut);
  await open(bytes); // forgotten
  if (i % 10 === 9) {
    global.gc();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
const grown = process.memoryUsage().rss - before;
assert(grown < 64 << 20, `${grown} bytes more`);
console.log('package: whole');
