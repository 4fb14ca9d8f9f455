# What people and CI run. `make demo` and `make test` do all the set-up on a Debian or Ubuntu machine that has a Swift
# toolchain.

SWIFT ?= swift
DEMO_STORE ?= .build/demo-store
DEMO_REPORT := .build/demo-report.json
RELEASE := .build/release/modelsync
# What is installed and packed.
PROGRAM ?= $(RELEASE)
PREFIX ?= /usr/local
SWIFT_CODE := Package.swift Sources Tests Examples Benchmarks/Package.swift Benchmarks/Sources

# Else all tests begin at once, and the time limits of those that wait for a core run out.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 8

# One set of flags for every debug build, so that `make check` and `make test` share theirs.
BUILD_FLAGS := --explicit-target-dependency-import-check error

.PHONY: help setup setup-tests build release install uninstall deb demo test check docs api tsan asan chaos crash soak fuzz bench benchmark format clean
.NOTPARALLEL:

help: ## what can be made
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' Makefile | expand -t 14

setup: ## installs what is missing for the build
	@scripts/setup

setup-tests: ## installs what is missing for the build and the tests
	@scripts/setup --tests

build: setup ## the debug build
	$(SWIFT) build $(BUILD_FLAGS)

release: setup ## the release build: .build/release/modelsync
	$(SWIFT) build -c release --static-swift-stdlib --product modelsync

install: ## installs the release build, with manual pages, completions, units: PREFIX=/usr/local, DESTDIR=
	@test -x $(PROGRAM) || { echo "there is no $(PROGRAM): first run \`make release\`" >&2; exit 1; }
	PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) scripts/install $(PROGRAM)

uninstall: ## removes what `make install` installed
	PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) scripts/install --remove

deb: $(if $(filter $(RELEASE),$(PROGRAM)),release) ## a Debian package of the release build: .build/deb
	scripts/deb $(PROGRAM) .build/deb
	@! command -v lintian >/dev/null || lintian --allow-root --fail-on error,warning .build/deb/*.deb

demo: release ## applies manifests/demo.yaml, with no network, and shows the report
	$(RELEASE) apply manifests/demo.yaml --store $(DEMO_STORE) --report $(DEMO_REPORT)
	@python3 -m json.tool $(DEMO_REPORT)

test: setup-tests ## all tests
	@scripts/test $(SWIFT) test $(BUILD_FLAGS) --disable-xctest

check: setup ## format, import rules, size budgets, links, a build without warnings, the library's declarations
	$(SWIFT) format lint --strict --parallel --recursive $(SWIFT_CODE)
	@scripts/check-imports
	@scripts/check-budgets
	@scripts/check-links
	$(SWIFT) build $(BUILD_FLAGS) --build-tests
	@scripts/api --check

api: build ## lists the library's public declarations anew: docs/api.txt
	@scripts/api

docs: build ## the library's pages: .build/docs, to be served by a web server
	@scripts/api --graphs .build/symbol-graphs
	docc convert Sources/ModelSyncKit/ModelSyncKit.docc --additional-symbol-graph-dir .build/symbol-graphs \
		--fallback-display-name ModelSyncKit --fallback-bundle-identifier modelsync.ModelSyncKit \
		--analyze --warnings-as-errors --output-path .build/docs

tsan: setup-tests ## all tests under the thread sanitizer
	SWIFT=$(SWIFT) scripts/tsan

asan: setup-tests ## all tests under the address sanitizer
	LSAN_OPTIONS=suppressions=$(CURDIR)/scripts/sanitizer/leaks.supp \
		$(SWIFT) test --disable-xctest --sanitize=address --scratch-path .build/asan

# SEED=… repeats a run: it is printed.
chaos: setup-tests ## 500 files from an origin where one request in three fails: all must arrive
	MODELSYNC_CHAOS_FILES=500 MODELSYNC_CHAOS_SEED=$(or $(SEED),$(shell od -An -N6 -tu8 /dev/urandom | tr -d ' ')) \
		$(SWIFT) test $(BUILD_FLAGS) --disable-xctest --filter ChaosTests

crash: setup-tests ## an update killed before each call that changes something, and with each failing in six ways
	MODELSYNC_CRASH=full $(SWIFT) test $(BUILD_FLAGS) --disable-xctest --filter CrashTests

# SECONDS=… for more or less than ten minutes.
soak: setup-tests ## eight applies at a time on one store, killed now and then
	MODELSYNC_SOAK_SECONDS=$(or $(SECONDS),600) $(SWIFT) test $(BUILD_FLAGS) --disable-xctest --filter SoakTests

fuzz: setup ## a few minutes of fuzzing the manifest decoder
	scripts/fuzz

bench: release ## downloads beside the other tools that are installed: ARGUMENTS='--repeat 5 shards', --help
	Benchmarks/side-by-side --modelsync $(RELEASE) $(ARGUMENTS)

# ARGUMENTS='verify --check', for instance; --help tells all.
benchmark: release ## the speed of hashing, held against OpenSSL's: ARGUMENTS=--help
	$(SWIFT) run -c release --package-path Benchmarks -Xswiftc -enable-testing hash-benchmark $(ARGUMENTS)

format: ## formats all Swift files in place
	$(SWIFT) format --in-place --parallel --recursive $(SWIFT_CODE)

clean: ## removes all that was built
	rm -rf .build Benchmarks/.build
