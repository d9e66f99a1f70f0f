# Everything runs in a virtual environment of its own, with the exact versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# What curvlinops runs with. Its own list also leads to torchvision, by way of backpack, which is not
# used here: a torchvision that does not fit breaks transformers.
ATTRIBUTION := curvlinops-for-pytorch einconv einops linear_operator opt_einsum

.PHONY: setup demo test lint docs bench bench-full browser clean

setup: $(VENV)/.ready

demo: $(VENV)/.ready
	$(BIN)/expunge demo --out demo

# Two processes of one thread each: the tests' networks are too small to share a step's work.
test: $(VENV)/.ready-test browser lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --cov --cov-report=term:skip-covered

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.ready-docs
	$(BIN)/mkdocs build --strict --site-dir build/site

bench: $(VENV)/.ready
	$(BIN)/python -m benchmarks.run --out build/bench.json

# Larger sizes, the demo from a cold start, and how every method grows (also build/growth.json).
bench-full: $(VENV)/.ready
	$(BIN)/python -m benchmarks.run --full --out build/bench-full.json

# The report is tested in a browser; without one those tests are skipped, and say so.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null \
	  || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	       && apt-get update -qq && apt-get install -y -qq chromium chromium-driver >/dev/null; } \
	  || echo "no Chromium here: the report's browser tests will be skipped"

clean:
	rm -rf $(VENV) build demo

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "expunge needs Python 3.11 or newer: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable ".[hub]"
	touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	$(INSTALL) --editable ".[test]"
	$(INSTALL) --no-deps $(ATTRIBUTION)
	touch $@

$(VENV)/.ready-docs: $(VENV)/.ready
	$(INSTALL) --editable ".[docs]"
	touch $@
