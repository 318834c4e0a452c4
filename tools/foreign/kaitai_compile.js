// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// node kaitai_compile.js LANGUAGE FILE.ksy FOLDER [debug]: writes the parser's source files to
// FOLDER.
// The compiler and the YAML reader come from build/kaitai (tools/foreign/install_kaitai.sh).
"use strict";
const fs = require("fs");
const path = require("path");
const {createRequire} = require("module");

const BUILD = path.join(__dirname, "..", "..", "build", "kaitai");
const installed = createRequire(path.join(BUILD, "package.json"));

async function compile(language, ksy, folder, debug) {
  const spec = installed("yaml").parse(fs.readFileSync(ksy, "utf8"));
  const files = await installed("kaitai-struct-compiler").compile(language, spec, null, debug);
  fs.mkdirSync(folder, {recursive: true});
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    fs.mkdirSync(path.dirname(file), {recursive: true});
    fs.writeFileSync(file, text);
  }
}

module.exports = {compile, installed};

if (require.main === module) {
  const [language, ksy, folder, debug] = process.argv.slice(2);
  compile(language, ksy, folder, debug === "debug").catch((error) => {
    console.error(String(error));
    process.exit(1);
  });
}
