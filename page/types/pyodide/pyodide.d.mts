// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Of Pyodide what the page uses.

export interface Python {
  FS: { writeFile(path: string, bytes: Uint8Array, how?: { canOwn?: boolean }): void; mkdirTree(path: string): void };
  unpackArchive(archive: ArrayBuffer, format: string, how: { extractDir: string }): void;
  pyimport(name: string): Record<string, (...given: string[]) => string>;
}
export function loadPyodide(how: { indexURL: string }): Promise<Python>;
