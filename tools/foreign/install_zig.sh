#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# A C compiler for every system, into build/zig (about 400 MB), and Debian's Wine, CMake and pkg-config
# where this is a root shell. What is not here, `make platforms` and the tests leave out and say so.
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
apt() { command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] &&
    apt-get install -y -qq --no-install-recommends "$1" >/dev/null; }
[ -x /usr/lib/wine/wine64 ] || apt wine64 ||
    echo "install_zig: no Wine; programs for Windows are linked and not run"
command -v cmake >/dev/null || apt cmake ||
    echo "install_zig: no cmake; tests of engine/CMakeLists.txt will be skipped"
command -v pkg-config >/dev/null || apt pkgconf ||
    echo "install_zig: no pkg-config; a part of the tests of engine/CMakeLists.txt will be skipped"
