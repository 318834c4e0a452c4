// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Our engine beside onnxruntime-web on the same networks, in Node or in a page; web.mjs gives the modules.

// Milliseconds of each side's calls: `clock` of one call, in turns whose order changes.
async function turns(sides, rounds, clock) {
  const out = sides.map(() => []);
  for (let i = 0; i < 5; i++) for (const side of sides) await side();
  for (let i = 0; i < rounds; i++) {
    for (const at of i % 2 ? [1, 0] : [0, 1]) {
      await sides[at]();
      const from = clock();
      await sides[at]();
      out[at].push(clock() - from);
    }
  }
  return out;
}

const middle = (times) => [...times].sort((a, b) => a - b)[times.length >> 1];

// `models`: [{name, ours, theirs}], bytes of our file and of the ONNX. Both embed one picture on one thread,
// ours from its pixels, the peer from floats made before the clock starts.
export async function measure({ efm3, ort, models, rounds, clocks }) {
  ort.env.wasm.numThreads = 1;
  const rows = [];
  for (const { name, ours, theirs } of models) {
    const engine = await efm3.open(ours);
    const session = await ort.InferenceSession.create(theirs, { executionProviders: ['wasm'] });
    const pixels = Uint8Array.from({ length: 37632 }, (_, i) => (i * 7919 + (i >> 3) * 31) & 255);
    const planes = new Float32Array(pixels.length);
    for (let i = 0; i < 12544; i++) for (let c = 0; c < 3; c++) planes[c * 12544 + i] = (pixels[3 * i + c] - 127.5) / 128;
    const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', planes, [1, 3, 112, 112]) };
    const peer = async () => (await session.run(feeds))[session.outputNames[0]].data;
    const row = { name, isa: engine.info.isa, cosine: efm3.similarity(engine.embed(pixels), await peer()) };
    for (const [word, clock] of Object.entries(clocks)) {
      const [a, b] = await turns([() => engine.embed(pixels), peer], rounds, clock);
      row[word] = { ours_min: Math.min(...a), theirs_min: Math.min(...b), ours_median: middle(a), theirs_median: middle(b) };
    }
    engine.close();
    await session.release();
    rows.push(row);
  }
  return rows;
}
