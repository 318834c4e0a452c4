# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
PY ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-torch conformance lint types gen screenshot bench bench-engine bench-start kernels \
	sanitize evidence evidence-long mfn-cli mfn-example amalgamation clean

ENGINE := $(wildcard engine/src/*.[ch] engine/src/*.def engine/src/kernels/*.[ch] engine/include/*.h)

$(BIN)/.installed: pyproject.toml setup.py efm3/_engine_build.py $(ENGINE)
	$(PY) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

# Inspect and validate a weight file, embed drawn faces with it and compare them.
demo: $(BIN)/.installed
	$(BIN)/efm3 inspect weights/facex_nano.bin
	$(BIN)/efm3 validate weights
	$(BIN)/python -m tools.demo weights/facex_nano.bin examples/*.png

test: $(BIN)/.installed
	$(BIN)/python -m pytest -n 2

# The tests that need PyTorch, in a step of their own: the pinned build is for the CPU.
test-torch: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train]'
	$(BIN)/python -m pytest $(wildcard tests/convert/test_torch.py tests/train tests/drawn) -rs

# The corpus through everything that is ours, the mutants' score, and the frozen expectations.
conformance: $(BIN)/.installed
	$(BIN)/efm3 conformance run --reader @python --writer @python --editor @python \
	  --engine @engine --level coherence
	$(BIN)/efm3 conformance run --reader @engine --engine @reference
	[ ! -d build/kaitai/node_modules ] || $(BIN)/efm3 conformance run --protocol lines \
	  --reader "$(BIN)/python -m tools.foreign.kaitai_reader --lines"
	$(BIN)/efm3 conformance diff --a @python --b @engine --files 20000
	$(BIN)/python -m tools.mutants | tail -1
	$(BIN)/python -m tools.gen.expected --check

lint: $(BIN)/.installed
	$(BIN)/ruff check efm3 tests tools

types: $(BIN)/.installed
	$(BIN)/mypy

# Generated files, from the declaration and the rules.
gen: $(BIN)/.installed
	$(BIN)/python -m tools.gen

screenshot: $(BIN)/.installed
	$(BIN)/python -c "from efm3.cli._render import screenshot; \
	  screenshot('weights/facex_nano.bin', 'docs/inspect.svg')"
	$(BIN)/python -m tools.demo --svg docs/compare.svg weights/facex_nano.bin examples/*.png

# Ratios against named tools, both sides in one run.
bench: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[bench]'
	$(BIN)/python -m tools.bench

bench-start: $(BIN)/.installed
	$(BIN)/python -m tools.bench start

CFLAGS ?= -O2
MFN := -std=c11 -Wall -Wextra -Iengine/include engine/src/*.c engine/src/kernels/*.c -lm -lpthread

# The engine's diagnostic command; its example; the engine as one .c and one .h.
bench-engine: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[peers]'
	$(BIN)/python -m tools.bench engine --peers

mfn-cli:
	mkdir -p build
	$(CC) $(CFLAGS) -o build/mfn-cli engine/cli/mfn_cli.c $(MFN)

mfn-example:
	mkdir -p build
	$(CC) $(CFLAGS) -o build/mfn-example engine/examples/example_mfn.c $(MFN)
	build/mfn-example weights/facex_nano.bin

amalgamation:
	$(PY) -m tools.gen.amalgamation build

WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=posix_memalign,--wrap=pthread_create
CHECK := -O1 -g -fno-sanitize-recover=all engine/tests/check_engine.c $(MFN) $(WRAP)
SMALL := build/small.bin
# Every kernel against sums in double, beside faulting pages; then how fast each is.
kernels:
	mkdir -p build
	$(CC) $(CFLAGS) -o build/check-kernels engine/tests/check_kernels.c $(MFN)
	build/check-kernels
	build/check-kernels --bench

# The engine's own checks under AddressSanitizer and UBSan, then ThreadSanitizer.
sanitize: $(BIN)/.installed
	mkdir -p build
	$(BIN)/python -c "from efm3 import sample; open('$(SMALL)', 'wb').write(sample.base())"
	$(CC) -fsanitize=address,undefined -o build/check-asan $(CHECK)
	build/check-asan all $(SMALL)
	$(BIN)/efm3 conformance export build/cases
	for f in build/cases/reader/*.bin; do build/check-asan any $$f || exit 1; done >build/any.txt
	sort build/any.txt | uniq -c
	build/check-asan nomem spec/vectors/odd_b.bin
	build/check-asan threads spec/vectors/odd_b.bin
	build/check-asan misuse weights/facex_nano.bin
	$(CC) -o build/check-plain $(CHECK)
	build/check-plain fork $(SMALL)
	$(CC) -fsanitize=address,undefined -fno-sanitize-recover=all -O1 -g -DFUZZ_DRIVER -Iengine/src -o build/drive-asan tests/fuzz/*.c $(MFN)
	build/drive-asan random 300000 1 $$(find build/cases/reader -name "*.bin" -size -8)
	$(CC) -fsanitize=thread -o build/check-tsan $(CHECK)
	build/check-tsan threads $(SMALL)

# The figures of SECURITY.md into docs/evidence.json: minutes, or hours at low priority.
# PARTS="fuzz exhaustive" measures these alone.
evidence: $(BIN)/.installed
	$(BIN)/python -m tools.evidence $(PARTS)

evidence-long: $(BIN)/.installed
	nice -n 19 $(BIN)/python -m tools.evidence --long $(PARTS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
