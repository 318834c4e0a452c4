#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# The Kaitai Struct compiler, its runtime for JavaScript and a YAML reader, into build/kaitai.
# Without them the tests of spec/efm3.ksy are skipped. (Python's runtime `kaitaistruct` is in the
# dev extra.)
set -eu
cd "$(dirname "$0")/../.."
if ! command -v npm >/dev/null; then
    echo "install_kaitai: npm is not there; tests of spec/efm3.ksy will be skipped"
    exit 0
fi
mkdir -p build/kaitai
[ -f build/kaitai/package.json ] || echo '{"private": true}' >build/kaitai/package.json
npm install --prefix build/kaitai --no-audit --no-fund --silent \
    kaitai-struct-compiler@0.11.0 kaitai-struct@0.11.0 yaml@2.9.1 ||
    echo "install_kaitai: npm cannot install the compiler; tests of spec/efm3.ksy will be skipped"
