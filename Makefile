# A fresh clone needs python3 (3.11 or newer, with venv) and make; everything else lands in .venv.
#   make demo PYTHON=python3.12                    another interpreter
#   make demo PIP_ARGS='--extra-index-url URL'     further arguments for pip, such as an index of CPU-only torch builds
#   make test PYTEST_ARGS='-k floors'              further arguments for pytest

PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# A process for each core and one thread in each: threads of several processes would wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check --no-input install -c constraints.txt $(PIP_ARGS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-all check bench bench-gpu clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed-run ## install, then go from a sample data set to recommendations
	$(BIN)/nnlang demo

test: check ## install what tests need, then ruff, mypy --strict, pytest
	$(PYTEST) $(PYTEST_ARGS)

test-all: check ## the same with the long properties and crash tests in full
	$(PYTEST) -m 'full or not full' --timeout=3600 $(PYTEST_ARGS)

check: $(VENV)/.installed-dev ## only ruff, mypy --strict and the size line
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	@$(BIN)/python tests/test_style.py

bench: $(VENV)/.installed-run ## training speed on the CPU, beside PyTorch
	$(BIN)/python benchmarks/cpu.py

bench-gpu: $(VENV)/.installed-run ## speed on a GPU, beside PyTorch; BENCH_ARGS=--quick for two minutes
	$(BIN)/python benchmarks/gpu.py $(BENCH_ARGS)

clean: ## remove caches and build products
	rm -rf build dist nnlang.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find nnlang codegen runtime grammar tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv as well
	rm -rf $(VENV)

# The stamps say what is installed, so that a second call installs nothing; new pins or packages make them stale.
# setuptools comes first, at the version of constraints.txt: pip's isolated builds would take the newest.
$(VENV)/.installed-run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) setuptools
	$(PIP_INSTALL) --no-build-isolation -e '.[run]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-run
	$(PIP_INSTALL) --no-build-isolation -e '.[run,dev]'
	@touch $@

# Asked before the folder exists: `python3 -m venv` without ensurepip leaves half a venv behind.
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed. $(INSTALL_PYTHON)" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "nnlang needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). $(INSTALL_PYTHON)" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv. $(INSTALL_PYTHON)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

INSTALL_PYTHON := Debian, Ubuntu: sudo apt install python3 python3-venv. macOS: brew install python. \
  Then, for another interpreter than python3: make PYTHON=python3.12 ...
