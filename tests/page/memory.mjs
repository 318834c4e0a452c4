// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// What a page takes: of the machine by process, and of it what its programs hold.

import { readdirSync, readFileSync } from 'node:fs';

/** A process's part in a browser. @param {number} id */
function kindOf(id) {
  const words = readFileSync(`/proc/${id}/cmdline`, 'latin1');
  const one = (option) => new RegExp(`--${option}=([\\w.-]+)`).exec(words)?.[1];
  return (one('utility-sub-type') ?? one('type') ?? 'browser').split('.').pop();
}

/** Resident memory of a process and all below it by their parts, MB. @param {number} pid */
export function resident(pid) {
  const found = new Map();
  for (const name of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      found.set(Number(name), { parent: Number(fields[1]), pages: Number(fields[21]), kind: kindOf(Number(name)) });
    } catch { /* it has ended */ }
  }
  const own = (id) => id === pid || (found.has(id) && found.get(id).parent > 1 && own(found.get(id).parent));
  /** @type {Record<string, number>} */
  const sums = {};
  for (const [id, { kind, pages }] of found) if (own(id)) sums[kind] = (sums[kind] ?? 0) + (pages * 4096) / 1e6;
  return sums;
}

/** @param {Record<string, number>} parts */
export const sum = (parts) => Object.values(parts).reduce((all, n) => all + n, 0);

/** Bytes of all WebAssembly memories that a program holds; its buffers do not count them. */
async function assembled(send) {
  const objectGroup = 'memories';
  const { result } = await send('Runtime.evaluate', { expression: 'WebAssembly.Memory.prototype', objectGroup });
  const { objects } = await send('Runtime.queryObjects', { prototypeObjectId: result.objectId, objectGroup });
  const { result: { value } } = await send('Runtime.callFunctionOn', { objectId: objects.objectId, returnByValue: true,
    functionDeclaration: 'function () { return this.reduce((all, one) => all + one.buffer.byteLength, 0); }' });
  await send('Runtime.releaseObjectGroup', { objectGroup });
  return value;
}

/**
 * Looks at a page and its workers. What it returns collects their garbage, all that nothing holds any more, and says what is
 * left, MB: the objects of each program, and of the page's document, with their buffers and WebAssembly memories. `gc()` is not
 * enough: it leaves what the debugging protocol said last, which is a program to it.
 */
export async function holding(debug) {
  const workers = new Map();
  const asked = new Map();
  debug.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => workers.set(sessionId, targetInfo.url.split('/').pop()));
  debug.on('Target.detachedFromTarget', ({ sessionId }) => workers.delete(sessionId));
  debug.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result, error } = JSON.parse(message);
    if (!asked.has(id)) return;
    const { resolve, reject } = asked.get(id);
    asked.delete(id);
    if (error) reject(new Error(error.message));
    else resolve(result);
  });
  await debug.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  let last = 0;
  const tell = (sessionId, method, params) => new Promise((resolve, reject) => {
    asked.set(++last, { resolve, reject });
    debug.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id: last, method, params }) }).catch(reject);
  });
  return async () => {
    /** @type {Record<string, number>} */
    const left = {};
    const all = [['page', (method, params) => debug.send(method, params)],
      ...[...workers].map(([id, name]) => [name, (method, params) => tell(id, method, params)])];
    for (const [name, send] of all) {
      await send('HeapProfiler.collectGarbage');
      const { usedSize, embedderHeapUsedSize, backingStorageSize } = await send('Runtime.getHeapUsage');
      left[name] = (usedSize + embedderHeapUsedSize + backingStorageSize + await assembled(send)) / 1e6;
    }
    return left;
  };
}
