// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// node tools/web/kit.mjs [ROW [PRECISION]]: the package of build/wasm as an engine of the kit, in the
// lines protocol (spec/conformance.md). Our own tests send three lines more: "pixels" embeds uint8, "refusal"
// and "scan" are answered with the error that open gives of a file, or null, and with what scan gives.
import { readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Efm3Error, open, scan } from '../../build/wasm/index.js';

const [row, precision = 'f32'] = process.argv.slice(2);

async function embed({ cmd, model, input, output }) {
  const engine = await open(model, { row, precision, asGiven: true });
  try {
    const bytes = await readFile(input);
    const values = cmd === 'pixels' ? new Uint8Array(bytes) : new Float32Array(new Uint8Array(bytes).buffer);
    await writeFile(output, new Uint8Array(engine.embed(values).buffer));
  } finally {
    engine.close();
  }
}

async function refusal({ file }) {
  try {
    (await open(await readFile(file), { row, precision })).close();
    return { error: null };
  } catch (error) {
    if (!(error instanceof Efm3Error)) throw error;
    return { error: { ...error, message: error.message } };
  }
}

async function answer(asked) {
  if (asked.cmd === 'start')
    return { version: 1, ready: true, implementation: { name: 'efm3-engine', version: '1', language: 'wasm', classes: ['engine'] } };
  try {
    if (asked.cmd === 'refusal') return await refusal(asked);
    if (asked.cmd === 'scan') return { ...(await scan(asked.file, { row })), error: null };
    await embed(asked);
    return { seq: asked.seq, ok: true };
  } catch (error) {
    if (error instanceof Efm3Error && error.code !== 'E_NOMEM') return { seq: asked.seq, ok: false, reason: `${error.code}: ${error.message}` };
    return { seq: asked.seq, error: String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (asked.cmd === 'stop') break;
  process.stdout.write(JSON.stringify(await answer(asked)) + '\n');
}
