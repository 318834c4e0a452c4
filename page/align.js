// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// A face cut out of a picture so that its five points lie where the network wants them.

import { declared } from './declared.js';

const SIDE = declared.consts.inputSide;

/** @typedef {[number, number]} Point */
/** x' = a x - b y + tx, y' = b x + a y + ty. @typedef {{a: number, b: number, tx: number, ty: number}} Similarity */

/**
 * The similarity that lays `from` on `to` with the least squared distance; a turn, a size and a
 * shift, never a mirror image. Null where the points are one.
 * @param {Point[]} from
 * @param {Point[]} to
 * @returns {Similarity | null}
 */
export function similarity(from, to) {
  /** @param {Point[]} points @param {0 | 1} axis */
  const mean = (points, axis) => points.reduce((s, p) => s + p[axis], 0) / points.length;
  const [fx, fy, gx, gy] = [mean(from, 0), mean(from, 1), mean(to, 0), mean(to, 1)];
  let [along, across, spread] = [0, 0, 0];
  from.forEach(([x, y], i) => {
    const [u, v, p, q] = [x - fx, y - fy, to[i][0] - gx, to[i][1] - gy];
    along += u * p + v * q;
    across += u * q - v * p;
    spread += u * u + v * v;
  });
  if (!(spread > 0)) return null;
  const [a, b] = [along / spread, across / spread];
  return { a, b, tx: gx - a * fx + b * fy, ty: gy - b * fx - a * fy };
}

/** The similarity of five clicked points: eyes, nose, corners of the mouth, as seen.
 * @param {Point[]} points */
export const faceOf = (points) => similarity(points, /** @type {Point[]} */ (declared.template));

/** The one that takes the largest square in a picture's middle.
 * @param {number} width
 * @param {number} height
 * @returns {Similarity}
 */
export function middle(width, height) {
  const a = SIDE / Math.min(width, height);
  const half = (a - 1) / 2;
  return { a, b: 0, tx: (SIDE - a * width) / 2 + half, ty: (SIDE - a * height) / 2 + half };
}

/**
 * @param {CanvasImageSource} picture
 * @param {Similarity} s
 * @returns {HTMLCanvasElement}
 */
export function cut(picture, s) {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = SIDE;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }));
  context.fillStyle = '#000';
  context.fillRect(0, 0, SIDE, SIDE);
  context.imageSmoothingQuality = 'high';
  // A point is a pixel's centre in the template, and its corner on a canvas.
  const half = 0.5 * (1 - s.a + s.b);
  const halfY = 0.5 * (1 - s.b - s.a);
  context.setTransform(s.a, s.b, -s.b, s.a, s.tx + half, s.ty + halfY);
  context.drawImage(picture, 0, 0);
  return canvas;
}

/** RGB, row by row. @param {HTMLCanvasElement} canvas */
export function pixels(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  const out = new Uint8Array(3 * SIDE * SIDE);
  for (let i = 0, j = 0; i < data.length; i += 4) {
    out[j++] = data[i];
    out[j++] = data[i + 1];
    out[j++] = data[i + 2];
  }
  return out;
}
