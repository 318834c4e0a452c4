// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Of Pyodide what the page uses. Names that begin with _ are no promise of Pyodide: its version is fixed in
// tools/page/npm/package.json, and tests/page opens it.

export interface Python {
  FS: { writeFile(path: string, bytes: Uint8Array, how?: { canOwn?: boolean }): void; mkdirTree(path: string): void };
  runPython(program: string): void;
  pyimport(name: string): Record<string, (...given: string[]) => string>;
}
export function loadPyodide(how: { indexURL: string; _loadSnapshot?: Uint8Array;
  createPyodideModule?: (how: object) => Promise<object> }): Promise<Python>;
