#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# Debian's Go, Java, Kotlin and Mono (about 450 MB), for the scaffolds in these languages. Without
# them `make scaffolds` skips these and says so.
set -eu
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "install_languages: not a Debian root shell; scaffolds whose compiler is not here are skipped"
    exit 0
fi
install() {
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
# One by one where all at once fail: one compiler that is not there keeps no other from its tests.
packages="golang-go default-jdk-headless kotlin mono-mcs mono-runtime libmono-system-core4.0-cil
    libmono-system-numerics4.0-cil"
# shellcheck disable=SC2086
install $packages || for package in $packages; do
    install "$package" || echo "install_languages: no $package; scaffolds that want it are skipped"
done
