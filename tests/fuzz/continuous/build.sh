#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# Builds every fuzz target into $OUT, for a service that fuzzes all day. What it has to be given are
# the usual variables: CC and CFLAGS with the sanitizers, LIB_FUZZING_ENGINE with what links
# libFuzzer in (a file, or the flag -fsanitize=fuzzer), OUT, and CXX and CXXFLAGS, which link.
#
# A target NAME comes with NAME_seed_corpus.zip, and with NAME.dict and NAME.options where it has
# them. The targets in Python are a program each, which starts atheris from this checkout; they are
# left out where python3 has no atheris.
set -eu
: "${CC:?}" "${LIB_FUZZING_ENGINE:?}" "${OUT:?}"
cd "$(dirname "$0")/../../.."
fuzz=tests/fuzz
src=engine/src
python=${PYTHON:-python3}
mkdir -p "$OUT"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# target NAME SOURCE...: the vector kernels are left out, for which clang needs minutes; the driver
# of `make evidence` runs them under the sanitizers.
target() {
    name=$1
    shift
    mkdir "$work/$name"
    for source; do
        # shellcheck disable=SC2086  # the flags are words
        "$CC" -std=c11 ${CFLAGS:-} -DMFN_NO_SIMD -Iengine/include -I$src -I$fuzz -I$fuzz/narrow \
            -c "$source" -o "$work/$name/$(basename "$source" .c).o"
    done
    # shellcheck disable=SC2086
    "${CXX:-$CC}" ${CXXFLAGS:-${CFLAGS:-}} "$work/$name"/*.o $LIB_FUZZING_ENGINE -lm -lpthread \
        -o "$OUT/$name"
    cp $fuzz/continuous/efm3.dict "$OUT/$name.dict"
    printf '[libfuzzer]\nmax_len = 4096\n' >"$OUT/$name.options"
}

reader="$src/loader.c $src/network.c $src/mirror.c $src/status.c"
# shellcheck disable=SC2086
target efm3_read $fuzz/narrow/fuzz_read.c $fuzz/mutate.c $reader
# shellcheck disable=SC2086
target efm3_mirror $fuzz/narrow/fuzz_mirror.c $reader
target efm3_load $fuzz/fuzz_load.c $fuzz/mutate.c $src/*.c $src/kernels/*.c

"$python" -m tests.fuzz.continuous.seeds "$OUT"
