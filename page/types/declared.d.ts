// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// What `python -m tools.page` writes to declared.js (tools/page/declared.py).

export declare const declared: {
  version: string;
  fields: { path: string; offset: number; size: number; doc: string; number: boolean; lo: number;
    hi: number; step: number }[];
  consts: { magic: string; prefixSize: number; countSize: number; maxJsonLen: number; maxJsonDepth: number; stageSlots: number;
    inputSide: number; inputChannels: number; maxBlocks: number; maxExpanded: number; maxTensors: number;
    bnTensors: string[]; turned: string; upright: string };
  sizes: Record<string, { size: number; stem: number; block: number; final: number; dim: number; gdc: number;
    kernel: number; stride: number; stages: number[][] }>;
  mirrorKeys: string[];
  metaKeys: Record<string, string>;
  template: number[][];
  engine: Record<string, { what: string; fix: string }>;
  examples: string[];
  level: string;
};
