// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0

/** Rows of instructions, best first. */
export type Row = 'wasmrelaxed' | 'wasmsimd' | 'scalar';
export type Precision = 'f32' | 'high' | 'fast';

/**
 * Where a file comes from. A string or URL is fetched; in Node, one that is not http(s), data or blob
 * is a path. Files, Blobs and streams are read as far as their header allows.
 */
export type Source = ArrayBuffer | ArrayBufferView | Blob | Response | URL | string;

/** What the C engine says of a file or a call that it refuses. */
export class Efm3Error extends Error {
  readonly name: 'Efm3Error';
  /** The status by name, such as `E_MAGIC`, and by value. */
  readonly code: string;
  readonly status: number;
  /** The byte at which the check failed, and the field that it is in. */
  readonly offset: number | null;
  readonly path: string | null;
  /** What is there, and what should be; null where no single value says it. */
  readonly found: number | string | null;
  readonly expected: number | string | null;
  /** The URL, path or File's name that was opened. */
  readonly source: string | null;
}

export interface Stage {
  /** Expansion, blocks, stride of the first block. */
  t: number;
  n: number;
  s: number;
}

export interface Arch {
  stemKernel: number;
  stemStride: number;
  stemChannels: number;
  blockChannels: number;
  finalChannels: number;
  embeddingDim: number;
  gdcKernel: number;
  stages: Stage[];
}

export interface Info extends Readonly<Arch> {
  /** The row in use. */
  readonly isa: Row;
  readonly precision: Precision;
  /** How many layers. */
  readonly layers: number;
  /** Multiply-adds of one picture. */
  readonly macs: number;
  readonly weightBytes: number;
  readonly scratchBytes: number;
  /** Whether the file asks for its pictures turned by 180 degrees; null where it says something unknown. */
  readonly turned: boolean | null;
}

export interface Layer {
  /** As in the table: `stage1.block0.expand`. */
  name: string;
  cIn: number;
  cOut: number;
  kernel: number;
  stride: number;
  pad: number;
  groups: number;
  /** Sides of the maps in pixels. */
  sideIn: number;
  sideOut: number;
  act: boolean;
  residual: boolean;
  macs: number;
}

export interface LoadedLayer extends Layer {
  arithmetic: 'f32' | 'bf16' | 'i16' | 'i8';
  weightBytes: number;
}

export interface Options {
  /** The least that is accepted; `f32` where nothing is said. */
  precision?: Precision;
  /** Pictures reach the network as they are, whatever the file says. */
  asGiven?: boolean;
  /** Instructions to use in place of the best that run here. */
  row?: Row;
}

/** One or several upright aligned faces: RGB pixels [n, 112, 112, 3], or planes [n, 3, 112, 112] of (p - 127.5) / 128. */
export type Pictures = Uint8Array | Uint8ClampedArray | Float32Array;

export class Engine {
  private constructor();
  get info(): Info;
  get layers(): LoadedLayer[];
  /** The embedding of one picture, of norm 1. Throws TypeError for another length or type, Efm3Error E_PICTURE. */
  embed(picture: Pictures): Float32Array;
  /** The embeddings of n pictures, one after another. */
  batch(pictures: Pictures): Float32Array;
  /** Releases its memory; what is called after it throws Efm3Error E_STATE. An engine that nothing holds any more is closed too. */
  close(): void;
}

/** Loads a file. Rejects with Efm3Error for what the engine refuses, TypeError for a wrong argument. */
export function open(source: Source, options?: Options): Promise<Engine>;

export interface Field {
  path: string;
  offset: number;
  size: number;
  /** A number, or bytes in hex. */
  value: number | string;
}

/** An entry of the table as found; `name` is "" beyond the layout. */
export interface Tensor {
  number: number;
  name: string;
  shape: number[];
  /** Of its size field, and of its first value. */
  offset: number;
  dataOffset: number;
  /** Payload bytes: stated, present, and wanted by the layout. */
  size: number;
  present: number;
  expected: number;
  /** Of the finite values; null where there is none. */
  min: number | null;
  max: number | null;
  mean: number | null;
  std: number | null;
  nan: number;
  inf: number;
  zero: number;
  subnormal: number;
  /** Values in 32 equal bins from min to max; [] where there is none. */
  histogram: number[];
}

export interface Scan {
  size: number;
  /** What the engine refuses, null where it accepts the file. */
  error: Efm3Error | null;
  fields: Field[];
  /** Null, and [], where the header states no network. */
  arch: Arch | null;
  layers: Layer[];
  /** Null where the file ends before it. */
  jsonLen: number | null;
  /** Offset and length of the mirror. */
  mirror: [number, number] | null;
  nTensors: number | null;
  /** The end of the last whole tensor. */
  end: number;
  tensors: Tensor[];
}

/** What stands in any bytes, and figures of the weights. Rejects for lack of memory, and as `open` for a source that cannot be read. */
export function scan(source: Source, options?: { row?: Row }): Promise<Scan>;

/** The best row that runs here. */
export function row(): Row;

/** RGB pixels of a canvas' RGBA. */
export function rgb(image: { data: ArrayLike<number> }): Uint8Array;

/** The dot product of two embeddings, which is their cosine. Throws TypeError where their lengths differ. */
export function similarity(one: ArrayLike<number>, two: ArrayLike<number>): number;
