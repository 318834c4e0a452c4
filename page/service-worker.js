// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Keeps every file of the page, so that it works without a network after the first visit. A file is
// kept under its digest: what did not change is not fetched again by a newer page, and no page is
// put together from files of two.

/** @type {Record<string, string>} path to SHA-256; written by `python -m tools.page` */
const FILES = {};
const NAME = 'efm3-page';

const worker = /** @type {any} */ (self);

/** Where a file lies: some servers send whoever asks for index.html to its folder. @param {string} path */
const placeOf = (path) => worker.registration.scope + (path === 'index.html' ? '' : path);

/** An answer that came from elsewhere is none to a browser that opens a page: its content is. @param {Response} answer */
const own = (answer) => (answer.redirected ? new Response(answer.body, { headers: answer.headers }) : answer);

/** @param {string} path */
const keyOf = (path) => `${worker.registration.scope}${path}?${FILES[path]}`;

/** @param {Response} answer @param {string} digest */
async function intact(answer, digest) {
  if (!answer.ok) return false;
  const found = new Uint8Array(await crypto.subtle.digest('SHA-256', await answer.clone().arrayBuffer()));
  return Array.from(found, (b) => b.toString(16).padStart(2, '0')).join('') === digest;
}

worker.addEventListener('install', (/** @type {any} */ e) => e.waitUntil((async () => {
  const cache = await caches.open(NAME);
  for (const [path, digest] of Object.entries(FILES)) {
    if (await cache.match(keyOf(path))) continue;
    const answer = await fetch(placeOf(path), { cache: 'no-cache' });
    if (!await intact(answer, digest)) throw new Error(`${path} is of another version of the page`);
    await cache.put(keyOf(path), own(answer));
  }
  // A newer page waits here until nobody looks at the older one, which may yet ask for its own files.
})()));

worker.addEventListener('activate', (/** @type {any} */ e) => e.waitUntil((async () => {
  const cache = await caches.open(NAME);
  const own = new Set(Object.keys(FILES).map(keyOf));
  for (const request of await cache.keys()) if (!own.has(request.url)) await cache.delete(request);
  await worker.clients.claim();
})()));

worker.addEventListener('fetch', (/** @type {any} */ e) => {
  const { scope } = worker.registration;
  const url = e.request.url.split(/[?#]/)[0];
  if (!url.startsWith(scope)) return;
  const path = url.slice(scope.length) || 'index.html';
  if (!Object.hasOwn(FILES, path)) return;
  e.respondWith((async () => {
    const cache = await caches.open(NAME);
    return await cache.match(keyOf(path)) ?? fetch(e.request);
  })());
});
