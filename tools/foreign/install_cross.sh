#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# Debian packages that the tests of foreign machines and of file(1) want (about 130 MB), and a
# big-endian Python in build/s390x (40 MB more, which no other program sees). Without them those
# tests are skipped.
set -eu
cd "$(dirname "$0")/../.."
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "install_cross: not a Debian root shell; tests of foreign machines will be skipped"
    exit 0
fi
install() {
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
# One by one where all at once fail: one compiler that is not there keeps no other from its tests.
packages="valgrind qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-s390x-linux-gnu
    libc6-dev-s390x-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross gcc-arm-linux-gnueabihf
    libc6-dev-armhf-cross gcc-i686-linux-gnu libc6-dev-i386-cross file"
# shellcheck disable=SC2086
install $packages || for package in $packages; do
    install "$package" ||
        echo "install_cross: no $package; tests that want it will be skipped"
done

# A package manager of its own: this machine's is not told of the other architecture.
root=build/s390x
[ ! -x $root/usr/bin/python3 ] || exit 0
apt=$PWD/build/s390x-apt
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
: >"$apt/status"
get() {
    apt-get -qq -o APT::Architecture=s390x -o APT::Architectures=s390x -o "Dir::State=$apt/state" \
        -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" \
        -o APT::Sandbox::User=root -o APT::Install-Recommends=0 "$@" >/dev/null
}
if get update && get install -y --download-only python3-minimal python3-numpy \
        python3-jsonschema; then
    rm -rf $root.part
    mkdir -p $root.part
    for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" $root.part; done
    mv $root.part $root
else
    echo "install_cross: no Python of s390x; tests of big-endian writing will be skipped"
fi
rm -rf "$apt"
