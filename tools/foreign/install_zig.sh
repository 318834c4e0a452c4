#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# A C compiler for every system, into build/zig (about 400 MB), and Debian's Wine where this is a root
# shell. What is not here, `make platforms` leaves out and says so.
set -eu
cd "$(dirname "$0")/../.."
version=0.17.1
if [ "$(cat build/zig/efm3-version 2>/dev/null)" != $version ]; then
    rm -rf build/zig
    if python3 -m pip install --quiet --disable-pip-version-check --target build/zig "ziglang==$version"; then
        echo $version >build/zig/efm3-version
    else
        echo "install_zig: no ziglang $version; other systems will be skipped"
    fi
fi
[ -x /usr/lib/wine/wine64 ] || { command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] &&
    apt-get install -y -qq --no-install-recommends wine64 >/dev/null; } ||
    echo "install_zig: no Wine; programs for Windows are linked and not run"
