#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# What the wheels for other Linux systems are tried with, unpacked where no other program sees it:
# Debian's Python and musl for 64-bit Arm in build/arm64 (75 MB, qemu-user runs it), and musl for
# this machine in build/musl. What is not here, `make wheels` does not try and says so.
set -eu
cd "$(dirname "$0")/../.."
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "install_foreign: not a Debian root shell; wheels for 64-bit Arm and musl are not tried"
    exit 0
fi
command -v qemu-aarch64 >/dev/null || apt-get install -y -qq --no-install-recommends qemu-user >/dev/null ||
    echo "install_foreign: no qemu-user; wheels for 64-bit Arm are not tried"

# unpack FOLDER ARCHITECTURE PACKAGE...: with a package manager of its own, since this machine's is
# not told of the other architecture.
unpack() {
    root=build/$1 arch=$2
    shift 2
    [ ! -d "$root" ] || return 0
    apt=$PWD/$root-apt
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    if get update && get install -y --download-only "$@"; then
        rm -rf "$root.part"
        mkdir -p "$root.part"
        for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$root.part"; done
        mv "$root.part" "$root"
    else
        echo "install_foreign: nothing for $root; wheels that want it are not tried"
    fi
    rm -rf "$apt"
}
get() {
    apt-get -qq -o "APT::Architecture=$arch" -o "APT::Architectures=$arch" -o "Dir::State=$apt/state" \
        -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" \
        -o APT::Sandbox::User=root -o APT::Install-Recommends=0 "$@" >/dev/null
}
unpack arm64 arm64 python3 libstdc++6 musl
unpack musl "$(dpkg --print-architecture)" musl
