# Yagura: `make run` serves on ./data, `make test` runs every test.

CARGO ?= cargo
ARGS ?=

.PHONY: help run build test cluster deadly sim soak cost helm-test helm-golden check lint tools docs image deb clean

help:
	@echo "make run      build and serve on 127.0.0.1:9009, data in ./data (ARGS='--set log.level=debug')"
	@echo "make test     every test, clusters and simulations too; brings what they need into target/tools"
	@echo "make cluster  break a cluster of real processes in every way that there is a test for"
	@echo "make sim      simulate a cluster that fails in every way (SEEDS=1000)"
	@echo "make deadly   ask one process everything that was made to kill it"
	@echo "make soak     the long versions of the tests that break clusters"
	@echo "make cost     compare a cluster's CPU seconds with one process's (YARDSTICK=the load generator)"
	@echo "make helm-test  render the Helm chart with many values and check what comes out"
	@echo "make check    format, clippy, and the tests that start no server"
	@echo "make docs     write docs/configuration.md anew"
	@echo "make image    build the image yagura:local with Docker"
	@echo "make deb      build a Debian package into target"
	@echo "make clean    remove what was built"

build: needs-compiler
	$(CARGO) build --release --package yagura

run: build
	target/release/yagura $(ARGS)

test: needs-compiler tools
	$(CARGO) test --workspace --lib --bins --tests --no-fail-fast
	$(CARGO) test --workspace --test cluster
	$(CARGO) test --workspace --test deadly
	$(CARGO) test --workspace --test seeds
	$(MAKE) helm-test

cluster: needs-compiler tools
	$(CARGO) test --workspace --bins --no-run
	$(CARGO) test --workspace --test cluster -- --nocapture

# Queries of death.
deadly: needs-compiler tools
	$(CARGO) test --workspace --bins --no-run
	$(CARGO) test --workspace --test deadly -- --nocapture

# With the real numbers of runs and minutes.
soak: needs-compiler tools
	$(CARGO) test --workspace --bins --no-run
	YAGURA_SOAK=1 $(CARGO) test --workspace --test cluster -- --nocapture

# A simulated cluster that fails in every way, as often as SEEDS says.
SEEDS ?= 1000
sim: needs-compiler
	YAGURA_SIM_SEEDS=$(SEEDS) $(CARGO) test --workspace --test seeds -- --nocapture

# The CPU seconds of a cluster beside those of one process, with the load generator that YARDSTICK names.
cost: needs-compiler tools build
	YAGURA_BIN=$(CURDIR)/target/release/yagura $(CARGO) test --workspace --test cost -- --nocapture --test-threads 1

# Needs Go, or helm, and Python. With target/debug/yagura it checks configurations, too.
helm-test:
	@scripts/tools.sh helm
	python3 helm/tests/run.py

# Writes the expected outputs and the page of values anew.
helm-golden:
	@scripts/tools.sh helm
	HELM_GOLDEN=write python3 helm/tests/run.py

check: lint
	$(CARGO) test --workspace --lib --bins --tests --exclude integration-tests

lint: needs-compiler
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy --workspace --test cluster --test cost --test deadly --test seeds -- -D warnings

tools:
	@scripts/tools.sh

docs: needs-compiler
	$(CARGO) run --quiet --package yagura -- --print-config-docs > docs/configuration.md.new
	mv docs/configuration.md.new docs/configuration.md

image:
	DOCKER_BUILDKIT=1 docker build --file deploy/docker/Dockerfile --build-arg REVISION=$$(git rev-parse HEAD) --tag yagura:local .

deb: build
	deploy/debian/build.sh target/release/yagura target

clean:
	$(CARGO) clean

.PHONY: needs-compiler
needs-compiler:
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing: install Rust 1.95 or newer from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: apt-get install build-essential" >&2; exit 1; }
