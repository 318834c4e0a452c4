// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// What the page says and does where something below it is missing, dies, is full, or is not what was expected.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { choose, drop, launch, named, ROOT, serve, skip, visit } from './browser.mjs';

const NANO = readFileSync(join(ROOT, 'weights/facex_nano.bin'));
const FACE = readFileSync(join(ROOT, 'examples/a_1.png'));

let browser;
let server;
before(async () => {
  if (skip) return;
  server = await serve();
  browser = await launch();
});
after(async () => { await browser?.close(); server?.close(); });

const text = (page, where) => page.locator(where).innerText();
const picture = (name) => ({ name, mimeType: 'image/png', buffer: FACE });

/** A test with a fresh page; `without` are files that the server does not have, `routed` gets the page before it is opened. */
const tried = (name, body, { without = [], routed = undefined, ...more } = {}) => test(name, { skip }, async () => {
  const { context, page, faults } = await visit(browser, server, { ...more, before: async (made) => {
    for (const path of without) await made.route(`**/${path}`, (route) => route.fulfill({ status: 404, body: '<html>none</html>' }));
    await routed?.(made);
  } });
  try {
    await body(page, context);
    // What is missing is said on the page and by the browser; no promise is left alone.
    assert.deepEqual(faults.filter((said) => said.startsWith('error')), []);
  } finally {
    await context.close();
  }
});

for (const path of ['python-worker.js', 'pyodide/pyodide.asm.wasm', 'python.zip']) {
  tried(`without ${path} there is no report, and the rest is there`, async (page) => {
    await choose(page, [named('mine.bin', NANO)]);
    assert.match(await text(page, '#engine'), /The engine opens it/);
    assert.match(await text(page, '#findings'), /There is no report: .+[^]*What to do: reload this page[^]*efm3 validate FILE/);
    await choose(page, [named('again.bin', NANO.subarray(0, 500))]);
    assert.match(await text(page, '#findings'), /There is no report/);
  }, { without: [path] });
}

for (const path of ['python-worker.js', 'pyodide/pyodide.mjs', 'pyodide/pyodide.asm.mjs']) {
  let asked = 0;
  tried(`where ${path} fails once, the first file has its report from the next worker`, async (page) => {
    await page.waitForTimeout(1500);
    assert.equal(asked, 1);
    await choose(page, [named('mine.bin', NANO)]);
    assert.match(await text(page, '#report'), /Valid/);
  }, { routed: (made) => made.route(`**/${path}`, (route) => (asked++ ? route.continue() : route.abort())) });
}

for (const path of ['engine-worker.js', 'engine/*.wasm']) {
  tried(`where ${path} never comes, the report does`, async (page) => {
    await page.setInputFiles('#input', [named('mine.bin', NANO)]);
    await page.waitForSelector('#report.good');
    assert.match(await text(page, '#verdict'), /The engine looks at it/);
  }, { routed: (made) => made.route(`**/${path}`, () => {}) });
}

tried('a file that other files push aside while Python works leaves no promise alone', async (page) => {
  await choose(page, [named('a.bin', NANO)]);
  for (let n = 0; n < 2; n++) await page.locator('[data-form=html]').click();
  await page.setInputFiles('#input', [named('b.bin', NANO)]);
  await choose(page, [named('c.bin', NANO.subarray(0, 900))]);
  assert.match(await text(page, '.name'), /c\.bin/);
  assert.match(await text(page, '#report'), /Invalid/);
});

tried('all rows of a long table stand in their order, whenever they are asked for', async (page) => {
  const shown = await page.evaluate(async () => {
    const { tensorTable, NONE } = await import('./tensors.js');
    const some = Array.from({ length: 600 }, (_, n) => ({ name: `t${n}`, at: n, number: n, shape: [1], size: 4, present: 4 }));
    const made = tensorTable(some, some.map(() => NONE), () => {});
    document.body.append(made);
    [...made.querySelectorAll('button')].at(-1).click();
    await new Promise((done) => { setTimeout(done, 1500); });
    return [...made.querySelectorAll('tbody:last-child tr .link')].map((button) => button.textContent);
  });
  assert.deepEqual(shown, Array.from({ length: 600 }, (_, n) => `t${n}`));
});

for (const path of ['engine-worker.js', 'engine/*.wasm']) {
  tried(`without ${path} there is no verdict of the engine, and the rest is there`, async (page) => {
    await choose(page, [named('mine.bin', NANO)]);
    assert.match(await text(page, '#engine'), /cannot be asked[^]*What to do/);
    assert.match(await text(page, '#report'), /Valid/);
    await page.waitForFunction(() => document.querySelectorAll('#tensors tbody:last-child tr').length === 283);
    assert.equal(await page.locator('#run').count(), 0);
  }, { without: [path] });
}

tried('without its program the page says so', async (page, context) => {
  await context.route('**/main.js', (route) => route.fulfill({ status: 404 }));
  await page.goto(server.url);
  assert.ok(!await page.locator('#said .late').isVisible());
  await page.waitForSelector('#said .late', { state: 'visible' });
  assert.match(await text(page, '#said'), /reload it/);
});

tried('without the files to try it with the page says so', async (page) => {
  await page.locator('#sample').click();
  await page.waitForFunction(() => document.querySelector('#said')?.textContent);
  assert.match(await text(page, '#said'), /facex_nano\.bin is not beside this page: HTTP 404/);
  await choose(page, [named('mine.bin', NANO)]);
  await page.getByRole('button', { name: 'Try drawn faces' }).click();
  await page.waitForFunction(() => document.querySelector('#run [role=status]')?.textContent?.includes('is not beside this page'));
}, { without: ['sample/*'] });

tried('a worker that dies is started again, and knows the files', async (page) => {
  await choose(page, [named('mine.bin', NANO)]);
  await page.evaluate(async () => {
    const { engine, python } = await import('./workers.js');
    for (const worker of [engine, python]) worker.end('it died');
  });
  const saved = page.waitForEvent('download');
  await page.locator('[data-form=json]').click();
  assert.match(readFileSync(await (await saved).path(), 'utf8'), /"ok": true/);
  await page.setInputFiles('#pictures', [picture('a.png')]);
  await page.waitForFunction(() => /1 face;/.test(document.querySelector('#run [role=status]')?.textContent ?? ''));
});

tried('of a worker the question that it dies of is lost, and no other', async (page, context) => {
  await context.route('**/mortal.js', (route) => route.fulfill({ contentType: 'text/javascript', body: `
    import { serve } from './rpc.js';
    let told = 'nothing';
    serve({ tell: (given) => { told = given; }, ask: (given) => {
      if (given === 'die') throw Object.assign(new Error('it is dead'), { pyodide_fatal_error: true });
      return given + told;
    } });` }));
  await context.route('**/stillborn.js', (route) => route.fulfill({ status: 404 }));
  const got = await page.evaluate(async () => {
    const { Remote } = await import('./rpc.js');
    const outcome = (given) => given.map(({ status, value, reason }) => (status === 'fulfilled' ? value : reason.message));
    const [mortal, stillborn] = ['mortal.js', 'stillborn.js'].map((name) => new Remote(new URL(name, document.baseURI).href));
    mortal.before = { verb: 'tell', given: ' told' };
    const first = ['a', 'die', 'b'].map((given) => mortal.ask('ask', given));
    const rest = ['c', 'd'].map((given) => stillborn.ask('ask', given));
    const uncopied = mortal.ask('ask', () => {});
    const taken = mortal.ask('ask', 'e');
    mortal.forget('taken back');
    const after = mortal.ask('ask', 'f');
    return outcome(await Promise.allSettled([...first, ...rest, uncopied, taken, after]));
  });
  assert.deepEqual(got.slice(0, 2), ['a told', 'it is dead']);
  assert.ok([got[2], got[5], got[6]].every((said) => said === 'taken back'), String(got));
  assert.ok(got.slice(3, 5).every((said) => /cannot be loaded/.test(said)), String(got));
  assert.equal(got[7], 'f told');
  const died = await page.evaluate(async () => {
    const { Remote } = await import('./rpc.js');
    const mortal = new Remote(new URL('mortal.js', document.baseURI).href);
    mortal.before = { verb: 'tell', given: ' told' };
    const asked = ['a', 'die', () => {}, 'b', 'die', 'c', 'd'].map((given) => mortal.ask('ask', given));
    return (await Promise.allSettled(asked)).map(({ value, reason }) => value ?? reason.message);
  });
  assert.deepEqual(died.toSpliced(2, 1), ['a told', 'it is dead', 'b told', 'it is dead', 'c told', 'd told']);
  assert.match(died[2], /could not be cloned/);
});

tried('files that are dropped while others are checked do not wait for them', async (page) => {
  await page.evaluate(async () => {
    const { python } = await import('./workers.js');
    const own = python.ask.bind(python);
    globalThis.answered = 0;
    python.ask = async (...given) => {
      const answer = await own(...given);
      globalThis.answered += 1;
      return answer;
    };
  });
  const many = Array.from({ length: 40 }, (_, n) => named(`old-${n}.bin`, NANO));
  await choose(page, many, ['seen', 'done']);
  await choose(page, [named('new.bin', NANO.subarray(0, 700))], ['reading', 'seen', 'done']);
  await page.waitForFunction(() => document.querySelector('#verdict .name')?.textContent?.includes('new.bin'));
  await page.waitForSelector('html[data-state=done]');
  assert.match(await text(page, '#report'), /Invalid/);
  const answered = await page.evaluate(() => globalThis.answered);
  assert.ok(answered < 40, `${answered} answers`);
});

tried('of more than two files the first two are compared at once', async (page) => {
  const other = Buffer.from(NANO);
  other[other.length - 2] ^= 1;
  await choose(page, [named('a.bin', NANO), named('b.bin', other), named('c.bin', NANO)]);
  assert.match(await text(page, '#diff'), /1 of 283 tensors/);
});

tried('the camera is off once its file is not on the screen', async (page) => {
  await choose(page, [named('a.bin', NANO), named('b.bin', NANO)]);
  const film = async () => {
    await page.getByRole('button', { name: 'Use the camera' }).click();
    await page.waitForSelector('video');
    await page.evaluate(() => { (globalThis.films ??= []).push(document.querySelector('video').srcObject); });
  };
  await film();
  // Once more: the first film ends.
  await page.getByRole('button', { name: 'Use the camera' }).click();
  await page.waitForFunction(() => document.querySelector('video') && document.querySelector('video').srcObject !== globalThis.films[0]);
  await page.evaluate(() => { globalThis.films.push(document.querySelector('video').srcObject); });
  await page.locator('#tabs button').nth(1).click();
  await page.waitForFunction(() => !document.querySelector('video'));
  await film();
  await choose(page, [named('c.bin', NANO)]);
  // A wish that is granted when its file has gone.
  await page.evaluate(() => {
    const { mediaDevices } = navigator;
    const own = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = async (how) => {
      await new Promise((grant) => { globalThis.grant = grant; });
      const stream = await own(how);
      globalThis.films.push(stream);
      return stream;
    };
  });
  await page.getByRole('button', { name: 'Use the camera' }).click();
  await page.waitForFunction(() => globalThis.grant);
  await choose(page, [named('d.bin', NANO)]);
  await page.evaluate(() => globalThis.grant());
  await page.waitForFunction(() => globalThis.films.length === 4 && globalThis.films[3].getTracks()[0].readyState === 'ended');
  const states = await page.evaluate(() => globalThis.films.flatMap((film) => film.getTracks().map((track) => track.readyState)));
  assert.deepEqual(states, ['ended', 'ended', 'ended', 'ended']);
  assert.equal(await page.locator('video').count(), 0);
}, { permissions: ['camera'] });

tried('pictures that are dropped go through the network that is on the screen', async (page) => {
  const said = (words) => page.waitForFunction((w) => document.querySelector('#run [role=status]')?.textContent?.includes(w), words);
  const dropped = () => page.evaluate((base64) => {
    const moved = new DataTransfer();
    moved.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], 'a.png', { type: 'image/png' }));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: moved, bubbles: true, cancelable: true }));
  }, FACE.toString('base64'));
  await dropped();
  await page.waitForSelector('html[data-state=done]');
  assert.match(await text(page, '#verdict'), /PNG picture[^]*give the weight file/);
  await choose(page, [named('mine.bin', NANO)]);
  await dropped();
  await page.waitForSelector('.faces li');
  assert.match(await text(page, '#verdict'), /mine\.bin/);
  await page.setInputFiles('#pictures', ['p', 'q', 'r', 's', 't'].map((name) => named(`${name}.bin`, NANO)));
  await said('p.bin is no picture that this browser reads. q.bin is no picture that this browser reads. '
    + 'r.bin is no picture that this browser reads. So are 2 more.');
  await page.setInputFiles('#pictures', Array.from({ length: 30 }, (_, n) => picture(`${n}.png`)));
  await said('7 of 30 pictures are left out');
  assert.equal(await page.locator('.faces li').count(), 24);
});

tried('what is no file is said', async (page) => {
  await page.evaluate(() => {
    const moved = new DataTransfer();
    moved.setData('text/plain', 'words');
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: moved, bubbles: true, cancelable: true }));
  });
  assert.match(await text(page, '#said'), /is no file/);
  await drop(page, [{ name: '', base64: '' }]);
  assert.match(await text(page, '#verdict'), /an empty file/);
});

/** Until the page is kept for a time without a network. */
const kept = (page) => page.waitForFunction(() => navigator.serviceWorker.controller !== null, null, { timeout: 120_000 });

for (const [from, to] of [['/index.html', '/'], ['/page.css', '/page.of/page.css']]) {
  test(`a server that moves ${from} to ${to}`, { skip }, async () => {
    const own = await serve({ [from]: to });
    const { context, page } = await visit(browser, own, { serviceWorkers: 'allow' });
    await kept(page);
    own.close();
    await context.setOffline(true);
    for (const path of ['', 'index.html', '?from=mail#bytes']) {
      await page.goto(own.url + path);
      await page.waitForSelector('html[data-state=ready]');
    }
    await context.close();
  });
}

test('an open page keeps its files when there is a newer one, which the next visit has', { skip }, async () => {
  const changed = {};
  const own = await serve({}, changed);
  const { context, page } = await visit(browser, own, { serviceWorkers: 'allow' });
  await kept(page);
  const [program, icon] = await page.evaluate(async () => Promise.all(['service-worker.js', 'icon.svg'].map(
    async (name) => (await fetch(name)).text())));
  const newer = `${icon}<!-- newer -->`;
  const [was, is] = [icon, newer].map((words) => createHash('sha256').update(words).digest('hex'));
  assert.equal(program.split(was).length, 2);
  Object.assign(changed, { '/icon.svg': newer, '/service-worker.js': program.replace(was, is) });
  await page.evaluate(async () => { await (await navigator.serviceWorker.getRegistration()).update(); });
  await page.waitForFunction(async () => (await navigator.serviceWorker.getRegistration()).installing === null);
  const shown = (opened) => opened.evaluate(async () => (await fetch('icon.svg')).text());
  await page.waitForTimeout(500);
  assert.equal(await shown(page), icon);
  await page.goto('about:blank');
  await page.goto(own.url);
  await page.waitForFunction(async () => (await (await fetch('icon.svg')).text()).includes('newer'));
  own.close();
  await context.close();
});

test('where there is no room to keep the page it works with a network', { skip }, async () => {
  const { context, page, faults } = await visit(browser, server, { serviceWorkers: 'allow', before: async (made) => {
    made.on('page', async (opened) => {
      const debug = await made.newCDPSession(opened);
      await debug.send('Storage.overrideQuotaForOrigin', { origin: server.url.slice(0, -1), quotaSize: 1_000_000 });
    });
  } });
  await choose(page, [named('mine.bin', NANO)]);
  assert.match(await text(page, '#report'), /Valid/);
  await page.waitForTimeout(3000);
  assert.ok(await page.evaluate(() => navigator.serviceWorker.controller === null));
  await page.reload();
  await page.waitForSelector('html[data-state=ready]');
  await choose(page, [named('mine.bin', NANO)]);
  assert.match(await text(page, '#report'), /Valid/);
  assert.deepEqual(faults.filter((fault) => !/quota/i.test(fault)), []);
  await context.close();
});

test('without its service worker the page works with a network', { skip }, async () => {
  const { context, page, faults } = await visit(browser, server, { serviceWorkers: 'allow' });
  await kept(page);
  await page.evaluate(async () => {
    for (const one of await navigator.serviceWorker.getRegistrations()) await one.unregister();
    await caches.delete('efm3-page');
  });
  await choose(page, [named('mine.bin', NANO)]);
  assert.match(await text(page, '#report'), /Valid/);
  await page.getByRole('button', { name: 'Try drawn faces' }).click();
  await page.waitForFunction(() => document.querySelectorAll('.similar tbody:last-child tr').length === 4);
  assert.deepEqual(faults, []);
  await context.close();
});
