// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Of the engine's package (engine/wasm) what the page uses.

export interface Statistics {
  min: number | null; max: number | null; mean: number | null; std: number | null;
  nan: number; inf: number; histogram: number[];
}
export interface Engine {
  info: { isa: string };
  embed(pixels: Uint8Array): Float32Array;
  close(): void;
}
export class Efm3Error extends Error {
  code: string;
  offset: number | null;
}
export function open(bytes: Uint8Array): Promise<Engine>;
export function scan(bytes: Uint8Array): Promise<{ tensors: Statistics[] }>;
