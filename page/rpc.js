// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Questions to a worker, and its answers.

/** What a worker could not do, in words for a person. */
export class WorkerError extends Error {}

/** A worker that is started by the first question. */
export class Remote {
  /**
   * @param {string} url
   * @param {(note: any) => void} [noted]  is given what the worker says without being asked
   */
  constructor(url, noted = () => {}) {
    this.url = url;
    this.noted = noted;
    /** @type {Worker | null} */
    this.worker = null;
    /** @type {Map<number, {resolve: (value: any) => void, reject: (why: Error) => void}>} */
    this.open = new Map();
    this.next = 1;
  }

  start() {
    if (this.worker) return this.worker;
    const worker = new Worker(this.url, { type: 'module' });
    worker.onmessage = ({ data }) => {
      if (data.note !== undefined) { this.noted(data.note); return; }
      const asked = this.open.get(data.id);
      this.open.delete(data.id);
      if (data.error !== undefined) asked?.reject(new WorkerError(data.error));
      else asked?.resolve(data.value);
    };
    worker.onerror = (e) => {
      e.preventDefault();
      this.end(e.message || 'its program cannot be loaded');
    };
    this.worker = worker;
    return worker;
  }

  /** @param {string} why  said to all that wait for an answer */
  end(why) {
    this.worker?.terminate();
    this.worker = null;
    for (const { reject } of this.open.values()) reject(new WorkerError(why));
    this.open.clear();
  }

  /**
   * @param {string} verb
   * @param {any} given
   * @param {Transferable[]} [moved]
   * @returns {Promise<any>}
   */
  ask(verb, given, moved = []) {
    const worker = this.start();
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.open.set(id, { resolve, reject });
      worker.postMessage({ id, verb, given }, moved);
    });
  }
}

/**
 * The worker's side.
 * @param {Record<string, (given: any) => any>} verbs
 */
export function serve(verbs) {
  // One after the other: what a verb awaits must not let the next one in.
  let last = Promise.resolve();
  self.onmessage = ({ data: { id, verb, given } }) => {
    last = last.then(async () => {
      try {
        self.postMessage({ id, value: await verbs[verb](given) });
      } catch (e) {
        self.postMessage({ id, error: e instanceof Error ? e.message : String(e) });
      }
    });
  };
}
