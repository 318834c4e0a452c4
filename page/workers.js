// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The two workers that the views ask.

import { Remote } from './rpc.js';

/** @param {string} name */
const beside = (name) => new URL(name, import.meta.url).href;

/** What the validator has said of itself, once it is ready. */
export const facts = { version: '', level: '', rules: 0, boot: 0, all: 0 };

export const engine = new Remote(beside('./engine-worker.js'));

/** @type {() => void} */
let begins;
/** Settled once Python runs, or never will. @type {Promise<void>} */
export const begun = new Promise((resolve) => { begins = resolve; });

export const python = new Remote(beside('./python-worker.js'), ({ ready, boot, all }) => {
  Object.assign(facts, ready, { boot, all });
  begins();
});
