# Yagura: `make run` serves on ./data, `make test` runs every test.

CARGO ?= cargo
ARGS ?=

.PHONY: help run build test cluster sim soak check lint tools docs clean

help:
	@echo "make run      build and serve on 127.0.0.1:9009, data in ./data (ARGS='--set log.level=debug')"
	@echo "make test     every test, real Prometheus included; brings what they need into target/tools"
	@echo "make cluster  break a cluster of real processes in every way that there is a test for"
	@echo "make sim      simulate a cluster that fails in every way (SEEDS=100)"
	@echo "make soak     the long versions of the tests that break clusters"
	@echo "make check    format, clippy, and the tests that start no server"
	@echo "make docs     write docs/configuration.md anew"
	@echo "make clean    remove what was built"

build: needs-compiler
	$(CARGO) build --release --package yagura

run: build
	target/release/yagura $(ARGS)

# A cluster of real processes in every run: all of it killed, a disk erased, an ingester down while blocks are
# flushed, repeats and disorder, requests without a token. `make cluster` runs the rows that take longer, too.
CLUSTERS = compare row_2_ row_6_ row_18_ row_30_

test: needs-compiler tools
	$(CARGO) test --workspace --lib --bins --tests --no-fail-fast
	$(CARGO) test --workspace --test cluster -- $(CLUSTERS)

cluster: needs-compiler tools
	$(CARGO) test --workspace --bins --no-run
	$(CARGO) test --workspace --test cluster

# With the real numbers of runs and minutes.
soak: needs-compiler tools
	$(CARGO) test --workspace --bins --no-run
	YAGURA_SOAK=1 $(CARGO) test --workspace --test cluster -- --nocapture

# A simulated cluster that fails in every way, as often as SEEDS says.
SEEDS ?= 100
sim: needs-compiler
	YAGURA_SIM_SEEDS=$(SEEDS) $(CARGO) test --workspace --test seeds -- --nocapture

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
