# Everything sets itself up: a Rust toolchain, Python 3.10+ and pip are enough.
#   make demo    build optimised, run the focused load suite, write report/
#   make test    build for debugging, run the Rust and the Python tests
#   make lint    formatting, clippy, ruff, types, stubs, licences
#   make ci      all of it in a fresh clone of HEAD on a busy machine; notes the commit that passed
#   make bench   headrace beside its peers
#   make fuzz    every reader of outside bytes under a coverage-guided fuzzer: SECONDS=60 each, READERS="sse prices" for some
#   make docs    the site in target/site and the pages of the Rust core, built strictly

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WITH_VENV := VIRTUAL_ENV=$(abspath $(VENV)) PATH="$(abspath $(BIN)):$$PATH"

.DEFAULT_GOAL := help
.PHONY: help setup build release demo test test-rust test-python lint ci format bench fuzz docs clean

help:
	@grep '^#' Makefile | cut -c3-

$(BIN)/maturin:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip "maturin>=1.16,<2"

setup: $(BIN)/maturin

build: setup
	$(WITH_VENV) maturin develop --quiet --extras test,lint

release: setup
	$(WITH_VENV) maturin develop --quiet --release --extras test

demo: release
	$(BIN)/python -m headrace loadtest focused --report report

test: test-rust test-python

test-rust:
	cargo test --quiet --package headrace

test-python: build
	$(BIN)/python -m pytest

lint: build
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest headrace._core --ignore-missing-stub
	$(PYTHON) scripts/check_dependencies.py
	$(PYTHON) scripts/check_unused.py
	$(PYTHON) scripts/check_tests.py
	$(PYTHON) scripts/check_names.py
	$(BIN)/python scripts/third_party.py --check

ci:
	scripts/ci.sh

format: build
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: release
	$(WITH_VENV) pip install --quiet -r benches/requirements.txt
	cargo bench --package headrace
	for peer in benches/peers/*.py; do $(BIN)/python $$peer || exit 1; done

SECONDS ?= 60
READERS ?=

fuzz:
	fuzz/run.sh $(SECONDS) $(READERS)

docs: build
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --package headrace
	$(WITH_VENV) maturin develop --quiet --extras docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) target report
