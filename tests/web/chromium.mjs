// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The package of build/wasm in Debian's Chromium, under the strictest policy that it runs with; a line of JSON.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";
const TRY = `import { open, row, Efm3Error } from './index.js';
window.tried = (async () => {
  const bytes = new Uint8Array(await (await fetch('facex_nano.bin')).arrayBuffer());
  const pixels = Uint8Array.from({ length: 37632 }, (_, i) => (i * 7919) & 255);
  const out = { isa: { best: row() }, embeddings: {} };
  for (const name of ['wasmrelaxed', 'wasmsimd', 'scalar']) {
    const engine = await open(name === 'scalar' ? new File([bytes], 'nano.bin') : 'facex_nano.bin', { row: name });
    out.isa[name] = engine.info.isa;
    out.embeddings[name] = [...engine.embed(pixels)];
    engine.close();
  }
  try {
    await open(bytes.subarray(0, 5000));
  } catch (e) {
    if (!(e instanceof Efm3Error)) throw e;
    out.refused = [e.code, e.found, e.expected];
  }
  return out;
})();`;

const server = createServer(async (request, response) => {
  const name = basename(request.url);
  const made = { '': '<!doctype html><link rel="icon" href="data:,"><script type="module" src="try.js"></script>', 'try.js': TRY }[name];
  const file = join(ROOT, extname(name) === '.bin' ? 'weights' : 'build/wasm', name);
  if (made === undefined && !existsSync(file)) return response.writeHead(404).end();
  return response.writeHead(200, { 'Content-Type': TYPES[extname(name)] ?? (name ? 'application/octet-stream' : 'text/html'), 'Content-Security-Policy': POLICY })
    .end(made ?? await readFile(file));
});
await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
const { chromium } = createRequire(join(ROOT, 'build/browser/node_modules/x.js'))('playwright-core');
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const page = await browser.newPage();
const faults = [];
page.on('pageerror', (e) => faults.push(e.message));
await page.goto(`http://127.0.0.1:${server.address().port}/`);
await page.waitForFunction(() => window.tried);
const seen = await page.evaluate(() => window.tried);
console.log(JSON.stringify({ ...seen, faults }));
await browser.close();
server.close();
