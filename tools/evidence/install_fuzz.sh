#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# What the fuzzers want beside a C compiler: clang with libFuzzer and AFL++ from Debian, atheris
# from Python's index. Each one that is missing is left out by `make evidence`.
set -eu
if ! command -v apt-get >/dev/null; then
    echo "install_fuzz: no apt-get here; libFuzzer and AFL++ will be left out"
elif [ "$(id -u)" != 0 ]; then
    echo "install_fuzz: not root; libFuzzer and AFL++ will be left out"
else
    # libFuzzer is in the compiler's run-time library, a package of its own in newer releases.
    rt=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/libclang-rt-\1-dev/p')
    apt-get install -y -qq --no-install-recommends clang $rt >/dev/null ||
        echo "install_fuzz: clang is not available; libFuzzer will be left out"
    apt-get install -y -qq --no-install-recommends afl++ >/dev/null ||
        echo "install_fuzz: afl++ is not available; AFL++ will be left out"
fi
python=${1:-.venv/bin/python}
"$python" -m pip install --quiet --disable-pip-version-check -e '.[fuzz]' ||
    echo "install_fuzz: atheris is not available; Python is fuzzed without feedback"
