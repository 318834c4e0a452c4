// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Questions to a worker, and its answers.

/** What a worker could not do, in words for a person. */
export class WorkerError extends Error {}

/** @typedef {{verb: string, given: any, resolve: (value: any) => void, reject: (why: Error) => void}} Question */

/** Questions that a worker has at once: it need not wait for a page that draws, and few are answered for nobody. */
const AHEAD = 2;
/** The number of what a worker is told before the questions. */
const FIRST = 0;

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
    /** What every new worker is told first: one that takes the place of a dead one knows nothing.
     * @type {{verb: string, given: any} | null} */
    this.before = null;
    /** What the worker has, which answers one after the other. @type {Question[]} */
    this.asked = [];
    /** @type {Question[]} */
    this.waiting = [];
    /** Whether this worker has answered: one that never did is not started again for each question. */
    this.lives = false;
  }

  start() {
    if (this.worker) return this.worker;
    const worker = new Worker(this.url, { type: 'module' });
    worker.onmessage = ({ data }) => {
      if (data.note !== undefined) { this.noted(data.note); return; }
      if (data.fatal !== undefined) { this.end(data.fatal); return; }
      // Nobody waits for an answer to what was told first.
      if (data.id === FIRST) return;
      const asked = this.asked.shift();
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
    if (this.before) worker.postMessage({ id: FIRST, ...this.before });
    return worker;
  }

  /** @param {string} why  said to the question that is asked, and to all where the worker never answered */
  end(why) {
    this.worker?.terminate();
    this.worker = null;
    // It dies of the one that it answers; the next worker gets the others.
    this.asked.shift()?.reject(new WorkerError(why));
    this.waiting.unshift(...this.asked.splice(0));
    if (!this.lives) this.forget(why);
    this.noted({});
    this.#go();
  }

  /** Take back what is not asked yet. @param {string} why */
  forget(why) {
    for (const { reject } of this.waiting.splice(0)) reject(new WorkerError(why));
  }

  #go() {
    while (this.asked.length < AHEAD && this.waiting.length) {
      const worker = this.start();
      const question = /** @type {Question} */ (this.waiting.shift());
      try {
        worker.postMessage({ id: FIRST + 1, verb: question.verb, given: question.given });
        this.asked.push(question);
      } catch (e) {
        // There is no room for a copy of the file.
        question.reject(new WorkerError(e instanceof Error ? e.message : String(e)));
      }
    }
  }

  /**
   * @param {string} verb
   * @param {any} given
   * @returns {Promise<any>}
   */
  ask(verb, given) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ verb, given, resolve, reject });
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
