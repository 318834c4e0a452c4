// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Pictures through the engine: embeddings, and how similar they are.

import { cut, faceOf, middle, pixels } from './align.js';
import { declared } from './declared.js';
import { count, el, foreign, part, table } from './dom.js';
import { sample } from './sample.js';
import { kernels } from './summary.js';
import { engine } from './workers.js';

const MOST = 24;
const MOST_BYTES = 32 << 20;
/** Files that are named where they are no pictures. */
const NAMED = 3;
const SIDE = declared.consts.inputSide;
const POINTS = ['the eye on the left', 'the eye on the right', 'the tip of the nose',
  'the corner of the mouth on the left', 'the corner of the mouth on the right'];

/**
 * @typedef {{name: string, picture: ImageBitmap, face: HTMLCanvasElement, how: string,
 *   embedding: Float32Array | null, ms: number}} Face
 * @typedef {{node: HTMLElement, take: (files: File[]) => void, stop: () => void}} Running
 */

/** @param {Float32Array} a @param {Float32Array} b */
const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

/**
 * The part that runs the network of a file.
 * @param {import('./file-view.js').FileView} view
 * @param {import('./reader.js').Reading} reading
 * @returns {Running}
 */
export function running(view, reading) {
  /** @type {Face[]} */
  const faces = [];
  const said = el('p', { role: 'status', class: 'soft' });
  const shown = el('ul', { class: 'faces' });
  const numbers = el('div');
  const aligning = el('div');
  const stop = el('button', { type: 'button', hidden: true, onclick: () => dark() }, 'Stop the camera');
  /** @type {MediaStream | null} */
  let filmed = null;
  /** Counts the wishes for the camera: one that is granted after the next, or after the end, is not used. */
  let wishes = 0;
  /** What was said of the last face. */
  let told = '';
  const filming = el('div');

  /** @param {Face} face */
  async function embed(face) {
    face.embedding = null;
    try {
      const answer = await engine.ask('embed', { key: view.key, bytes: view.bytes, pixels: pixels(face.face) });
      [face.embedding, face.ms] = [answer.embedding, answer.ms];
      told = `${count(faces.length)} ${faces.length === 1 ? 'face' : 'faces'}; the last one took ${
        answer.ms.toFixed(2)} ms as ${kernels(answer.isa)}.`;
      said.textContent = told;
    } catch (e) {
      said.replaceChildren('The engine cannot compute it: ', foreign(e instanceof Error ? e.message : String(e)));
    }
    draw();
  }

  /** @param {ImageBitmap} picture @param {string} name */
  async function take(picture, name) {
    if (faces.length >= MOST) {
      picture.close();
      said.textContent = `At most ${MOST} faces stand beside one another here.`;
      return;
    }
    const own = picture.width === SIDE && picture.height === SIDE;
    const face = { name, picture, how: own ? 'as it is' : 'its middle',
      face: cut(picture, middle(picture.width, picture.height)), embedding: null, ms: 0 };
    faces.push(face);
    await embed(face);
  }

  /** @param {File[]} files */
  async function add(files) {
    /** @type {(Node | string)[]} */
    const words = [];
    let strange = 0;
    for (const [n, file] of files.entries()) {
      if (faces.length >= MOST) {
        words.push(` At most ${MOST} faces stand beside one another here: ${count(files.length - n)} of ${
          count(files.length)} pictures are left out.`);
        break;
      }
      let picture;
      try {
        if (file.size <= MOST_BYTES) picture = await createImageBitmap(file);
      } catch { /* It is said below. */ }
      if (picture) await take(picture, file.name);
      else if (strange++ < NAMED) {
        words.push(' ', foreign(file.name, 80), file.size > MOST_BYTES ? ` is larger than ${MOST_BYTES >> 20} MB.`
          : ' is no picture that this browser reads.');
      }
    }
    if (strange > NAMED) words.push(` So are ${count(strange - NAMED)} more.`);
    if (words.length) said.replaceChildren(told, ...words);
  }

  function draw() {
    shown.replaceChildren(...faces.map((f, i) => {
      f.face.setAttribute('role', 'img');
      f.face.setAttribute('aria-label', `Face ${i + 1}`);
      return el('li', {}, f.face, el('p', {}, `${i + 1} `, foreign(f.name, 40)),
        el('p', { class: 'soft' }, f.embedding ? `${f.ms.toFixed(2)} ms, ${f.how}` : 'not computed'),
        el('p', {}, el('button', { type: 'button', class: 'link', onclick: () => align(f) }, 'Click five points'), ' ',
          el('button', { type: 'button', class: 'link', onclick: () => {
            faces.splice(faces.indexOf(f), 1)[0].picture.close();
            draw();
          } }, 'Remove')));
    }));
    const done = faces.filter((f) => f.embedding);
    const rows = done.map((f, i) => [`${i + 1}`, ...done.map((g) => {
      const value = dot(/** @type {Float32Array} */ (f.embedding), /** @type {Float32Array} */ (g.embedding));
      return el('td', { class: f === g ? 'none' : value > 0.3 ? 'near' : '' }, value.toFixed(3));
    })]);
    numbers.replaceChildren(...(done.length < 2 ? [] : [el('h3', {}, 'How similar they are'),
      table('Similarity of each two faces', ['', ...done.map((_, i) => String(i + 1))], rows,
        { class: 'numbers similar' }),
      el('p', { class: 'soft' }, 'A rule of thumb: with trained weights, above 0.3 is usually one person.'
        + (reading.mirror.meta?.trained === false ? ' These weights never saw a face.' : ''))]));
  }

  /** Five clicks on the picture, or by keyboard a point that arrow keys move. @param {Face} face */
  function align(face) {
    const scale = Math.min(1, 640 / face.picture.width, 640 / face.picture.height);
    const canvas = el('canvas', { class: 'aligning', tabindex: 0, role: 'application',
      width: Math.max(1, Math.round(face.picture.width * scale)),
      height: Math.max(1, Math.round(face.picture.height * scale)),
      'aria-label': 'The picture: click, or arrow keys and Enter', 'aria-describedby': 'point' });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    /** @type {import('./align.js').Point[]} */
    const points = [];
    const here = [canvas.width / 2, canvas.height / 2];
    const word = el('p', { id: 'point', 'aria-live': 'polite' });
    const paint = () => {
      context.drawImage(face.picture, 0, 0, canvas.width, canvas.height);
      context.lineWidth = 2;
      for (const [x, y] of [...points.map(([u, v]) => [(u + 0.5) * scale, (v + 0.5) * scale]), here]) {
        for (const [colour, r] of /** @type {[string, number][]} */ ([['#000', 6], ['#fff', 4]])) {
          context.strokeStyle = colour;
          context.beginPath();
          context.arc(x, y, r, 0, 7);
          context.stroke();
        }
      }
      word.textContent = `Point ${points.length + 1} of ${POINTS.length}: ${POINTS[points.length]}, as you see it`;
    };
    /** @param {number} x @param {number} y */
    const set = async (x, y) => {
      points.push([x / scale - 0.5, y / scale - 0.5]);
      if (points.length < POINTS.length) { paint(); return; }
      aligning.replaceChildren();
      const found = faceOf(points);
      if (!found) { said.textContent = 'Five different points are wanted.'; return; }
      [face.face, face.how] = [cut(face.picture, found), 'aligned by five points'];
      await embed(face);
    };
    canvas.addEventListener('click', (e) => {
      const box = canvas.getBoundingClientRect();
      set(((e.clientX - box.left) * canvas.width) / box.width, ((e.clientY - box.top) * canvas.height) / box.height);
    });
    canvas.addEventListener('keydown', (e) => {
      const step = e.shiftKey ? 10 : 2;
      const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[e.key];
      if (e.key === 'Escape') aligning.replaceChildren();
      if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); set(here[0], here[1]); }
      if (!way) return;
      e.preventDefault();
      here[0] = Math.max(0, Math.min(canvas.width, here[0] + way[0]));
      here[1] = Math.max(0, Math.min(canvas.height, here[1] + way[1]));
      paint();
    });
    aligning.replaceChildren(word, canvas, el('p', {}, el('button', { type: 'button',
      onclick: () => aligning.replaceChildren() }, 'Cancel')));
    paint();
    canvas.focus();
  }

  /** The camera is off, and a wish for it forgotten. */
  function dark() {
    wishes++;
    for (const track of filmed?.getTracks() ?? []) track.stop();
    filmed = null;
    filming.replaceChildren();
    stop.hidden = true;
  }

  async function film() {
    dark();
    const wish = wishes;
    /** @type {MediaStream} */
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'user' } });
    } catch {
      said.textContent = 'There is no camera, or it was not allowed.';
      return;
    }
    if (wish !== wishes) {
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    filmed = stream;
    const video = el('video', { class: 'camera', playsinline: true, 'aria-label': 'The camera' });
    video.muted = true;
    video.srcObject = stream;
    const shot = el('button', { type: 'button', onclick: async () => {
      try {
        await take(await createImageBitmap(video), 'camera');
      } catch {
        said.textContent = 'The camera shows nothing yet.';
      }
    } }, 'Take a picture');
    filming.replaceChildren(video, el('p', {}, shot));
    stop.hidden = false;
    // Where it cannot begin the picture stays black, and the button says so.
    video.play().catch(() => {});
  }

  const chosen = el('input', { id: 'pictures', type: 'file', accept: 'image/*', multiple: true,
    onchange: () => { add([...(chosen.files ?? [])]); chosen.value = ''; } });
  const examples = el('button', { type: 'button', onclick: async () => {
    try {
      for (const name of declared.examples) await add([await sample(name)]);
    } catch (e) {
      said.textContent = e instanceof Error ? `${e.message}.` : String(e);
    }
  } }, 'Try drawn faces');
  const node = part('run', 'Run it', el('p', {}, 'Choose pictures of faces, or drop them on this page: the network makes a list '
    + `of numbers of each, and the table says how alike the lists are. A picture of ${SIDE}×${SIDE} pixels is taken as it is; of a `
    + 'larger one the middle, until you click the eyes, the nose and the corners of the mouth. Nothing leaves this page.'),
  el('p', { class: 'choices' }, el('label', { class: 'choose small', for: 'pictures' }, 'Choose pictures'), chosen, ' ',
    examples, ' ', el('button', { type: 'button', onclick: film }, 'Use the camera'), ' ', stop),
  filming, aligning, said, shown, numbers);
  return { node, stop: dark, take: (files) => {
    node.scrollIntoView({ block: 'start', behavior: 'auto' });
    add(files);
  } };
}
