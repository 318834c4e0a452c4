// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Questions to a worker, and its answers.

/** What a worker could not do, in words for a person. */
export class WorkerError extends Error {}

/** @typedef {{verb: string, given: any, moved: Transferable[], resolve: (value: any) => void, reject: (why: Error) => void}} Question */

/** A worker that is started by the first question, and gets one question after the other. */
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
    /** What every new worker is told first: one that takes the place of a dead one knows nothing.
     * @type {{verb: string, given: any} | null} */
    this.before = null;
    /** @type {Question | null} */
    this.asked = null;
    /** @type {Question[]} */
    this.waiting = [];
    /** Whether this worker has answered: one that never did is not started again for each question. */
    this.lives = false;
    this.next = 1;
  }

  start() {
    if (this.worker) return this.worker;
    const worker = new Worker(this.url, { type: 'module' });
    worker.onmessage = ({ data }) => {
      if (data.note !== undefined) { this.noted(data.note); return; }
      if (data.fatal !== undefined) { this.end(data.fatal); return; }
      // What was told first has no number.
      if (!data.id) return;
      const { asked } = this;
      this.asked = null;
      this.lives = true;
      if (data.error !== undefined) asked?.reject(new WorkerError(data.error));
      else asked?.resolve(data.value);
      this.#go();
    };
    worker.onerror = (e) => {
      e.preventDefault();
      this.end(e.message || 'its program cannot be loaded');
    };
    this.worker = worker;
    this.lives = false;
    if (this.before) worker.postMessage({ id: 0, ...this.before });
    return worker;
  }

  /** @param {string} why  said to the question that is asked, and to all where the worker never answered */
  end(why) {
    this.worker?.terminate();
    this.worker = null;
    this.asked?.reject(new WorkerError(why));
    this.asked = null;
    if (!this.lives) this.forget(why);
    this.noted({});
    this.#go();
  }

  /** Take back what is not asked yet. @param {string} why */
  forget(why) {
    for (const { reject } of this.waiting.splice(0)) reject(new WorkerError(why));
  }

  #go() {
    if (this.asked || !this.waiting.length) return;
    const worker = this.start();
    this.asked = /** @type {Question} */ (this.waiting.shift());
    const { verb, given, moved } = this.asked;
    try {
      worker.postMessage({ id: this.next++, verb, given }, moved);
    } catch (e) {
      // There is no room for a copy of the file.
      this.asked.reject(new WorkerError(e instanceof Error ? e.message : String(e)));
      this.asked = null;
      this.#go();
    }
  }

  /**
   * @param {string} verb
   * @param {any} given
   * @param {Transferable[]} [moved]
   * @returns {Promise<any>}
   */
  ask(verb, given, moved = []) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ verb, given, moved, resolve, reject });
      this.#go();
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
        const why = e instanceof Error ? e.message : String(e);
        // Python says so of what it cannot go on after.
        self.postMessage(/** @type {any} */ (e)?.pyodide_fatal_error ? { fatal: why } : { id, error: why });
      }
    });
  };
}
