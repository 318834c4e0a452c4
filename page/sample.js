// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The files to try the page with, which lie beside it.

/**
 * One of them. Throws an Error with words for a person where it cannot be had.
 * @param {string} name
 */
export async function sample(name) {
  let answer;
  try {
    answer = await fetch(new URL(`./sample/${name}`, import.meta.url));
  } catch {
    throw new Error(`${name} cannot be fetched: there is no network`);
  }
  if (!answer.ok) throw new Error(`${name} is not beside this page: HTTP ${answer.status}`);
  return new File([await answer.blob()], name);
}
