// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// An EFM3 reader at level `structure` that is all spec/efm3.ksy, compiled by Kaitai Struct to
// JavaScript: the same description as kaitai_reader.py, another compiler's back end and runtime.
//
//     node tools/foreign/kaitai_reader.js [FILE | --lines]
//
// With FILE, or else for standard input, it prints the document, and its exit code is 1 where the
// file is refused. With --lines it answers the lines protocol (spec/conformance.md).
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const path = require("path");
const readline = require("readline");
const driver = require("./kaitai_compile.js");

const ROOT = path.join(__dirname, "..", "..");
const KSY = path.join(ROOT, "spec", "efm3.ksy");
const BROKEN = 70;

class Refused extends Error {}

// The parser's class; compiled once into build/kaitai and kept by content.
async function parser() {
  const key = crypto.createHash("sha256");
  const driven = path.join(__dirname, "kaitai_compile.js");
  for (const file of [KSY, driven]) key.update(fs.readFileSync(file));
  const home = path.join(ROOT, "build", "kaitai", "parsers");
  const target = path.join(home, key.digest("hex").slice(0, 16) + "-javascript");
  if (!fs.existsSync(target)) {
    fs.mkdirSync(home, {recursive: true});
    const made = fs.mkdtempSync(path.join(home, "made-"));
    try {
      await driver.compile("javascript", KSY, made, true);
      fs.renameSync(made, target);
    } catch (error) {
      fs.rmSync(made, {recursive: true, force: true});
      if (!fs.existsSync(target)) throw error;  // else another process was faster
    }
  }
  // The runtime takes lengths as signed 32-bit integers before it compares them with the file's.
  class Stream extends driver.installed("kaitai-struct").KaitaiStream {
    mapUint8Array(length) {
      this.ensureBytesLeft(length);
      return super.mapUint8Array(length);
    }
  }
  return {Efm3: require(path.join(target, "Efm3.js")).Efm3, Stream};
}

// The parsed tree; Refused where the description does not fit.
function parse({Efm3, Stream}, bytes) {
  const root = new Efm3(new Stream(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)));
  try {
    root._read();
  } catch (error) {
    if (/^(EOF|Validation\w+)Error$/.test(error.name)) throw new Refused(error.message);
    throw error;
  }
  return root;
}

// A node's fields in the order in which they were read; not what was computed from them.
const fields = (node) => Object.keys(node._debug).filter((name) => !name.startsWith("_"));
const snake = (name) => name.replace(/[A-Z]/g, (c) => "_" + c.toLowerCase());
const tag = (type, value) => ({type, value: String(value)});

function number(node, field) {
  const {start, end} = node._debug[field];
  return tag("u" + 8 * (end - start), node[field]);
}

const TABLE = Int32Array.from({length: 256}, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

function crc32(bytes) {
  let c = -1;
  for (const b of bytes) c = TABLE[(c ^ b) & 255] ^ (c >>> 8);
  return tag("crc32", (~c >>> 0).toString(16).padStart(8, "0"));
}

const f32 = (bytes) => tag("f32", Buffer.from(bytes).reverse().toString("hex"));

function* tensors(node, name = "") {
  for (const field of fields(node)) {
    const child = node[field], own = name + snake(field);
    if (Array.isArray(child)) {
      const first = field === "stages" ? 1 : 0, one = own.slice(0, -1);
      for (const [i, part] of child.entries()) yield* tensors(part, `${one}${i + first}.`);
    } else if (child.data) {
      yield [name + snake(field).replace("_", "."), child];
    } else {
      yield* tensors(child, own + ".");
    }
  }
}

function document(root) {
  const {arch, json} = root;
  const numbers = fields(arch).filter((field) => typeof arch[field] === "number");
  return {
    version: number(root, "version"),
    arch: {
      ...Object.fromEntries(numbers.map((field) => [snake(field), number(arch, field)])),
      stages: arch.stages.map((s) => ({t: number(s, "t"), n: number(s, "n"), s: number(s, "s")})),
    },
    mirror: {offset: tag("u32", root._debug.json.start), length: tag("u32", json.length),
             crc32: crc32(json)},
    tensors: Array.from(tensors(root.tensors), ([name, t]) => ({
      name: tag("string", name),
      shape: ("kernel" in t ? [t.numOut, t.fanIn, t.kernel, t.kernel] : [t.numValues]).map(
        (n) => tag("u32", n)),
      offset: tag("u64", t._debug.data.start),
      first: f32(t.data.slice(0, 4)), last: f32(t.data.slice(-4)), crc32: crc32(t.data),
    })),
  };
}

function answer(made, ask) {
  if (ask.cmd === "start") {
    const {version} = driver.installed("kaitai-struct/package.json");
    return {version: 1, ready: true, implementation: {
      name: "efm3.ksy", version, language: "Kaitai Struct, JavaScript", classes: ["reader"],
      levels: ["structure"]}};
  }
  const seq = {seq: ask.seq};
  if (ask.cmd !== "read" || ask.level !== "structure")
    return {...seq, error: "a reader at level structure"};
  try {
    return {...seq, ok: true, document: document(parse(made, fs.readFileSync(ask.file)))};
  } catch (error) {
    return error instanceof Refused ? {...seq, ok: false, reason: error.message}
      : {...seq, error: String(error)};
  }
}

async function main(args) {
  const made = await parser();
  if (args[0] === "--lines") {
    for await (const line of readline.createInterface({input: process.stdin})) {
      const ask = JSON.parse(line);
      if (ask.cmd === "stop") return;
      process.stdout.write(JSON.stringify(answer(made, ask)) + "\n");
    }
    return;
  }
  const level = process.env.EFM3_LEVEL || "structure";
  if (level !== "structure") throw new Error(`level ${level}: a reader at level structure`);
  console.log(JSON.stringify(document(parse(made, fs.readFileSync(args[0] || 0)))));
}

// Node ends with 1 on its own, and 1 would say refused.
main(process.argv.slice(2)).catch((error) => {
  console.error(error.code === "MODULE_NOT_FOUND"
    ? "Kaitai Struct is not in build/kaitai: run tools/foreign/install_kaitai.sh"
    : error instanceof Refused ? error.message : String(error));
  process.exitCode = error instanceof Refused ? 1 : BROKEN;
});
