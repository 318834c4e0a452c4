// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Checked by the compiler, not run: what index.d.ts says of each export.
import { open, scan, row, rgb, similarity, Efm3Error, Engine, type Scan } from 'efm3-engine';
const e: Engine = await open(new Uint8Array(3), { precision: 'fast', row: 'scalar', asGiven: true });
const v: Float32Array = e.embed(rgb({ data: [1, 2, 3, 4] }));
const n: number = similarity(v, e.batch(new Float32Array(9)));
const s: Scan = await scan(new Blob([]));
const words: (string | null)[] = [e.info.isa, e.layers[0].name, row(), s.error && s.error.path, s.tensors[0].name];
try { e.close(); } catch (x) { if (x instanceof Efm3Error) words.push(x.code, x.source); }
console.log(n, words);
