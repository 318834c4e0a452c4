#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# Debian's bash, zsh, fish and tmux (about 25 MB), in which completion and tables are tested. Without
# them tests/test_shells.py skips what it cannot run and says so.
set -eu
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "install_shells: not a Debian root shell; shells that are not here are not tested"
    exit 0
fi
for package in bash zsh fish tmux; do
    command -v "$package" >/dev/null || apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
        echo "install_shells: no $package; tests that want it are skipped"
done
