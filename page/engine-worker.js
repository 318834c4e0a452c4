// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The C engine, and what one pass in C says of a file's values, away from what the user touches.

import { Efm3Error, open as opened, scan } from './engine/index.js';
import { serve } from './rpc.js';

/** @type {import('./engine/index.js').Engine | null} */
let engine = null;
/** Of the file that is open, as the views number them. */
let open = -1;

/** @param {number} key @param {Uint8Array} bytes */
async function use(key, bytes) {
  if (engine && key === open) return engine;
  engine?.close();
  engine = null;
  engine = await opened(bytes);
  open = key;
  return engine;
}

// So that the module is there before the first file; the questions say why where it is not.
scan(new Uint8Array()).catch(() => {});

serve({
  /** Whether the engine opens a file, and the statistics of its tensors. */
  async look({ key, bytes }) {
    const began = performance.now();
    let verdict;
    try {
      const { info } = await use(key, bytes);
      verdict = { ok: true, code: '', offset: -1, text: '', isa: info.isa, ms: performance.now() - began };
    } catch (e) {
      if (!(e instanceof Efm3Error)) throw e;
      verdict = { ok: false, code: e.code, offset: e.offset ?? -1, text: e.message, ms: performance.now() - began };
    }
    const { tensors } = await scan(bytes);
    const statistics = tensors.map(({ min, max, mean, std, nan, inf, histogram }) => (
      { min, max, mean, std, nan, inf, histogram }));
    return { verdict, statistics, ms: performance.now() - began };
  },

  /** The embedding of a face, 112 x 112 RGB pixels, by the network of a file. */
  async embed({ key, bytes, pixels }) {
    const used = await use(key, bytes);
    const began = performance.now();
    const embedding = used.embed(pixels);
    return { embedding, ms: performance.now() - began, isa: used.info.isa };
  },
});
