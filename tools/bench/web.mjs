// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// node tools/bench/web.mjs node|chromium ROUNDS FOLDER NAME...: measure() of web_pair.mjs on FOLDER/NAME.bin and
// NAME.onnx, as a line of JSON. `wall` is milliseconds that passed, `cpu` (Node alone) those of the processor,
// which what else runs on the machine does not lengthen.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measure } from './web_pair.mjs';

const [place, rounds, folder, ...names] = process.argv.slice(2);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ORT = join(ROOT, 'build/peers-web/node_modules/onnxruntime-web/dist');
const HOMES = { engine: join(ROOT, 'build/wasm'), ort: ORT, models: folder, bench: join(ROOT, 'tools/bench') };
const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

async function inNode() {
  const efm3 = await import(join(HOMES.engine, 'index.js'));
  const ort = await import(join(ORT, 'ort.node.min.mjs'));
  const models = await Promise.all(names.map(async (name) => ({
    name, ours: await readFile(join(folder, `${name}.bin`)), theirs: await readFile(join(folder, `${name}.onnx`)) })));
  const spent = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e3; };
  return measure({ efm3, ort, models, rounds: Number(rounds), clocks: { wall: () => performance.now(), cpu: spent } });
}

// Isolated pages have a clock of 5 microseconds.
async function serve() {
  const server = createServer(async (request, response) => {
    const [, home, ...rest] = normalize(new URL(request.url, 'http://x').pathname).split('/');
    const head = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
    if (!home) return response.writeHead(200, { ...head, 'Content-Type': 'text/html' }).end('<!doctype html><title>x</title>');
    const file = join(HOMES[home] ?? '/nothing', ...rest);
    if (!existsSync(file)) return response.writeHead(404).end();
    return response.writeHead(200, { ...head, 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(await readFile(file));
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  return server;
}

async function inChromium() {
  const { chromium } = createRequire(join(ROOT, 'build/browser/node_modules/x.js'))('playwright-core');
  const server = await serve();
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    return await page.evaluate(async ([rounds, names]) => {
      const { measure } = await import('/bench/web_pair.mjs');
      const efm3 = await import('/engine/index.js');
      const ort = await import('/ort/ort.wasm.min.mjs');
      const bytes = async (name) => new Uint8Array(await (await fetch(`/models/${name}`)).arrayBuffer());
      const models = [];
      for (const name of names) models.push({ name, ours: await bytes(`${name}.bin`), theirs: await bytes(`${name}.onnx`) });
      return measure({ efm3, ort, models, rounds, clocks: { wall: () => performance.now() } });
    }, [Number(rounds), names]);
  } finally {
    await browser.close();
    server.close();
  }
}

console.log(JSON.stringify(await (place === 'node' ? inNode() : inChromium())));
process.exit(0);
