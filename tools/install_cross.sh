#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# Debian packages that the tests of foreign machines want. Without them those tests are skipped.
set -eu
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "install_cross: not a Debian root shell; tests of foreign machines will be skipped"
    exit 0
fi
apt-get install -y -qq --no-install-recommends qemu-user gcc-aarch64-linux-gnu \
    libc6-dev-arm64-cross valgrind >/dev/null ||
    echo "install_cross: packages not available; tests of foreign machines will be skipped"
