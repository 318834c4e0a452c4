#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# What the page is made with and tried in: Pyodide, TypeScript's checker, Playwright and axe-core,
# into build/browser, and Debian's Chromium where this is a root shell. What is not here,
# `make page` and the tests say and leave out.
set -eu
cd "$(dirname "$0")/../.."
apt() { command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] &&
    apt-get install -y -qq --no-install-recommends "$1" >/dev/null; }
command -v chromium >/dev/null || apt chromium ||
    echo "install_page: no Chromium; tests of the page will be skipped"
if ! command -v npm >/dev/null; then
    echo "install_page: npm is not there; the page will have no Python, and its tests will be skipped"
    exit 0
fi
mkdir -p build/browser
if ! cmp -s tools/page/npm/package-lock.json build/browser/package-lock.json ||
    [ ! -d build/browser/node_modules ]; then
    cp tools/page/npm/package.json build/browser/
    # The lock comes last: where it lies, everything that it names does.
    rm -f build/browser/package-lock.json
    cp tools/page/npm/package-lock.json build/browser/new-lock.json
    if (cd build/browser && mv new-lock.json package-lock.json &&
        npm ci --no-audit --no-fund --silent); then :; else
        rm -f build/browser/package-lock.json
        echo "install_page: npm cannot install the packages; tests of the page will be skipped"
    fi
fi
