// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Reports to keep, as the command writes them.

import { declared } from './declared.js';
import { el, foreign } from './dom.js';
import { python } from './workers.js';

/** @typedef {{title: string, end: string, type: string, words: (held: string) => (string | number)[]}} Form */

/** The words of the command that checks a file, by its name or its number. @param {string} form @param {string | number} held */
export const validating = (form, held) => ['validate', '--no-config', '--level', declared.level, '--format', form,
  '--', held];

/** @type {Form[]} */
const FORMS = [
  { title: 'JSON', end: 'json', type: 'application/json', words: (held) => validating('json', held) },
  { title: 'SARIF', end: 'sarif', type: 'application/json', words: (held) => validating('sarif', held) },
  { title: 'HTML', end: 'html', type: 'text/html', words: (held) => ['report', '--no-config', '-o', '-', '--', held] },
];

/**
 * Hand the user a file.
 * @param {string} text
 * @param {string} name
 * @param {string} type
 */
export function save(text, name, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A name that any system takes. @param {string} name @param {string} end */
export const fileName = (name, end) => `${name.replace(/[^\w.-]+/g, '_').replace(/^[._]+/, '').slice(0, 80)
  || 'report'}.${end}`;

/**
 * Buttons that save a report of a file.
 * @param {string} name
 * @param {string} held
 */
export function saving(name, held) {
  const said = el('span', { role: 'status', class: 'soft' });
  return el('p', { class: 'saving' }, 'Save the report as ', ...FORMS.flatMap((form) => [el('button', {
    type: 'button', 'data-form': form.end, onclick: async () => {
      said.textContent = '…';
      try {
        const { out, err, code } = await python.ask('run', { words: form.words(held) });
        said.replaceChildren(out ? '' : foreign(err || `exit code ${code}`));
        if (out) save(out, fileName(name, form.end), form.type);
      } catch (e) {
        said.replaceChildren(foreign(e instanceof Error ? e.message : String(e)));
      }
    } }, form.title), ' ']), said);
}
