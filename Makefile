# Yagura: `make run` serves on ./data, `make test` runs every test.

CARGO ?= cargo
ARGS ?=

.PHONY: help run build test sim soak check lint tools docs clean

help:
	@echo "make run      build and serve on 127.0.0.1:9009, data in ./data (ARGS='--set log.level=debug')"
	@echo "make test     every test, real Prometheus included; brings what they need into target/tools"
	@echo "make sim      simulate a cluster that fails in every way (SEEDS=1000, or SEED=n for one)"
	@echo "make soak     the long versions of the tests that break clusters"
	@echo "make check    format, clippy, and the tests that start no server"
	@echo "make docs     write docs/configuration.md anew"
	@echo "make clean    remove what was built"

build: needs-compiler
	$(CARGO) build --release --package yagura

run: build
	target/release/yagura $(ARGS)

test: needs-compiler tools
	$(CARGO) test --workspace --lib --bins --tests --no-fail-fast

# A simulated cluster, from as many seeds as SEEDS says; SEED=n runs one and shows its history.
SEEDS ?= 1000
sim: needs-compiler
	YAGURA_SIM_SEEDS=$(SEEDS) YAGURA_SIM_SEED=$(SEED) $(CARGO) test --package simulation -- --nocapture

# Hours, not minutes: the figures of docs/reliability.md come from it.
soak: needs-compiler tools
	YAGURA_SOAK=1 $(CARGO) test --package yagura --bins --package integration-tests --test cluster -- --nocapture

check: lint
	$(CARGO) test --workspace --lib --bins --tests --exclude integration-tests

lint: needs-compiler
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

tools:
	@scripts/tools.sh

docs: needs-compiler
	$(CARGO) run --quiet --package yagura -- --print-config-docs > docs/configuration.md.new
	mv docs/configuration.md.new docs/configuration.md

clean:
	$(CARGO) clean

.PHONY: needs-compiler
needs-compiler:
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing: install Rust 1.95 or newer from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: apt-get install build-essential" >&2; exit 1; }
