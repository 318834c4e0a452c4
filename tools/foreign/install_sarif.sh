#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# The JSON Schema of SARIF 2.1.0, into build/sarif: a package of npm holds it as a file. Without it
# one test of tests/test_reporting.py is skipped.
set -eu
cd "$(dirname "$0")/../.."
if ! command -v npm >/dev/null; then
    echo "install_sarif: npm is not there; the schema's test will be skipped"
    exit 0
fi
mkdir -p build/sarif
cd build/sarif
if packed=$(npm pack --silent @microsoft/jest-sarif@1.0.0-beta.0); then
    tar -xzf "$packed" --strip-components=3 package/lib/schemas
    rm "$packed"
else
    echo "install_sarif: npm cannot get the schema; its test will be skipped"
fi
