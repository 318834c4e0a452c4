// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The page in Debian's Chromium, served as a plain web server does, with what tests ask of it.

import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const PAGE = process.env.EFM3_PAGE ?? join(ROOT, 'build/page');
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const PACKAGES = join(ROOT, 'build/browser/node_modules');
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css',
  '.json': 'application/json', '.wasm': 'application/wasm', '.svg': 'image/svg+xml' };

/** Why nothing can be tried here, false where everything can. */
export const skip = !CHROMIUM ? 'no Chromium' : !existsSync(join(PACKAGES, 'playwright-core'))
  ? 'no Playwright: tools/foreign/install_page.sh' : !existsSync(join(PAGE, 'index.html')) ? 'no page: make page' : false;

/** Serves the page; the policy goes with each answer, so that workers are under it too.
 * `moved` maps paths to where this server sends whoever asks for them, `changed` to what they have in a newer page. */
export async function serve(moved = {}, changed = {}) {
  const policy = existsSync(join(PAGE, '_headers'))
    ? readFileSync(join(PAGE, '_headers'), 'utf8').split('Content-Security-Policy: ')[1].trim() : '';
  const asked = [];
  const server = createServer((request, response) => {
    let path = normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname));
    asked.push(path);
    if (Object.hasOwn(moved, path)) {
      response.writeHead(308, { Location: moved[path] }).end();
      return;
    }
    path = path.replace('/page.of/', '/');
    if (Object.hasOwn(changed, path)) {
      response.writeHead(200, { 'Content-Type': TYPES[extname(path)], 'Cache-Control': 'no-cache' }).end(changed[path]);
      return;
    }
    const file = join(PAGE, path.endsWith('/') ? `${path}index.html` : path);
    if (!file.startsWith(PAGE) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Length': statSync(file).size, 'Content-Security-Policy': policy, 'Cache-Control': 'no-cache' });
    createReadStream(file).pipe(response);
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  return { url: `http://127.0.0.1:${server.address().port}/`, asked, close: () => server.close() };
}

/** Milliseconds for what a browser is asked: other programs may have most of the machine. */
const PATIENCE = 240_000;
const HOW = { executablePath: CHROMIUM, timeout: PATIENCE, args: ['--no-sandbox', '--disable-dev-shm-usage',
  '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] };
const playwright = () => createRequire(join(PACKAGES, 'x.js'))('playwright-core').chromium;

export const launch = () => playwright().launch(HOW);

/** The same, with the number of its process. */
export async function launchServer() {
  const server = await playwright().launchServer(HOW);
  const browser = await playwright().connect(server.wsEndpoint());
  return { browser, pid: server.process().pid, close: () => server.close() };
}

/**
 * A fresh page, whose every fault is kept: errors, refusals of the policy, requests to elsewhere.
 * `before` is given the context while nothing is loaded.
 */
export async function visit(browser, server, { before = () => {}, ...more } = {}) {
  const context = await browser.newContext({ serviceWorkers: 'block', ...more });
  context.setDefaultTimeout(PATIENCE);
  await before(context);
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (e) => faults.push(`error: ${e.message}`));
  page.on('console', (m) => { if (m.type() === 'error') faults.push(`console: ${m.text()}`); });
  page.on('request', (r) => { if (!r.url().startsWith(server.url) && !r.url().startsWith('blob:')) faults.push(`request: ${r.url()}`); });
  await page.goto(server.url);
  await page.waitForSelector('html[data-state=ready]');
  return { context, page, faults };
}

const reached = (states) => `html:is(${states.map((s) => `[data-state=${s}]`).join(',')})`;

/** Chooses files, [{name, mimeType, buffer}] or paths, and waits until the page has said all. */
export async function choose(page, files, states = ['done']) {
  await page.setInputFiles('#input', files);
  await page.waitForSelector(reached(states), { timeout: PATIENCE });
}

/** A real drop of files, given as [{name, base64}]. */
export async function drop(page, files, states = ['done']) {
  await page.evaluate((given) => {
    const moved = new DataTransfer();
    for (const { name, base64 } of given) {
      moved.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
    }
    document.querySelector('main').dispatchEvent(new DragEvent('drop', { dataTransfer: moved, bubbles: true, cancelable: true }));
  }, files);
  await page.waitForSelector(reached(states), { timeout: PATIENCE });
}

export const named = (name, buffer) => ({ name, mimeType: 'application/octet-stream', buffer });
