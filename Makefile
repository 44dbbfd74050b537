# Two commands for a newcomer: `make demo`, then `make test`. Everything stays inside this folder.
# Needs Python 3.11 or newer with its venv module, and make. `make PYTHON=/path/to/python demo` chooses another Python.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check
LOCKED := install --quiet --no-deps --require-hashes -r
SELF := install --quiet --no-deps --no-build-isolation --editable .

# Tests that need third-party servers, or hours, have targets of their own.
QUICK := not interop and not soak
WORKERS ?= 2
PYTEST_ARGS ?=

# A caller's settings of Python and pip must not reach into the environment made here.
unexport PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint types docs bench sbom lock soak interop wheel clean format reference python

help:
	@echo "make demo       first run: a smoke test and a search against the embedded simulator"
	@echo "make test       the whole quick suite, with its coverage gate"
	@echo "make lint       ruff (rules and format) and the import contracts"
	@echo "make types      mypy, strict"
	@echo "make docs       the documentation site, strict, into site/"
	@echo "make interop    the tests against nginx, Apache httpd and HAProxy (must be installed)"
	@echo "make soak       the long counts, and their table benchmarks/SOAK.md"
	@echo "make bench      the measurements"
	@echo "make wheel      wheel and source archive, into dist/"
	@echo "make sbom       a CycloneDX list of what the package runs on, into sbom.json"
	@echo "make lock       resolve the locked requirements again"
	@echo "make reference  write docs/command-reference.md and the README's sessions again"
	@echo "make clean      remove everything that was made here"

python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer with the venv module was found." >&2; \
		echo "      Install one (Debian and Ubuntu: python3 and python3-venv), or name it: make PYTHON=/path/to/python demo" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "make: $(PYTHON) is not Python 3.11 or newer: $$("$(PYTHON)" --version 2>&1)" >&2; \
		echo "      Name a newer one: make PYTHON=/path/to/python demo" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "make: $(PYTHON) has no venv module (Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }

# ---------------------------------------------------------------- environments
# A stamp is touched last, so an interrupted installation starts again.

$(VENV)/made: | python
	@echo "Making $(VENV) ..."
	@"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@

$(VENV)/runtime: requirements/runtime.txt requirements/build.txt pyproject.toml $(VENV)/made
	@echo "Installing ror-sante and what it runs on ..."
	@$(PIP) $(LOCKED) requirements/runtime.txt
	@$(PIP) $(LOCKED) requirements/build.txt
	@$(PIP) $(SELF)
	@touch $@

$(VENV)/tests: requirements/ci.txt $(VENV)/runtime
	@echo "Installing what the tests need ..."
	@$(PIP) $(LOCKED) requirements/ci.txt
	@touch $@

$(VENV)/dev: requirements/dev.txt $(VENV)/tests
	@echo "Installing the development tools ..."
	@$(PIP) $(LOCKED) requirements/dev.txt
	@touch $@

# ---------------------------------------------------------------- for a newcomer

demo: $(VENV)/runtime
	@echo
	@echo '$$ ror-sante smoke-test --env simulator --service rorn'
	@$(BIN)/ror-sante smoke-test --env simulator --service rorn
	@echo
	@echo '$$ ror-sante rorn search HealthcareService --env simulator -p _count=10 --max 10 --format table'
	@$(BIN)/ror-sante rorn search HealthcareService --env simulator -p _count=10 --max 10 --format table
	@echo
	@echo "That was the simulator, inside this computer. README.md says what you just saw, and how to reach the real one."

# The package ships a pytest plugin, which pytest imports before any plugin could start to measure:
# coverage therefore starts pytest, not the other way round.
test: $(VENV)/tests
	@rm -f .coverage .coverage.*
	@$(PY) -m coverage run -m pytest -n $(WORKERS) -m "$(QUICK)" $(PYTEST_ARGS)
	@$(PY) -m coverage combine --quiet
	@rm -f .coverage.*  # what a process left half written that a test killed
	@$(PY) -m coverage report

# ---------------------------------------------------------------- for a contributor

lint: $(VENV)/dev
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(BIN)/lint-imports

format: $(VENV)/dev
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

types: $(VENV)/dev
	@$(PY) -m mypy

docs: $(VENV)/dev
	@$(PY) docs/generate.py --check
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet
	@echo "The site is in site/index.html."

reference: $(VENV)/dev
	@$(PY) docs/generate.py

interop: $(VENV)/tests
	@$(PY) -m pytest tests/interop -n $(WORKERS) -m "interop and not soak" -p no:cacheprovider $(PYTEST_ARGS)

soak: $(VENV)/tests
	@$(PY) -m pytest -m soak -p no:cacheprovider --soak-table benchmarks/SOAK.md $(PYTEST_ARGS)

bench: $(VENV)/tests
	@$(PY) -m benchmarks

wheel: $(VENV)/dev
	@rm -rf dist
	@$(PY) -m hatchling build --target wheel --target sdist

# The environment of the list holds the package with its extras and nothing of the tests or tools.
sbom: $(VENV)/dev
	@"$(PYTHON)" -m venv --clear --without-pip .venv-sbom
	@$(PIP) --python .venv-sbom/bin/python $(LOCKED) requirements/runtime.txt
	@$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir .venv-sbom/wheel .
	@$(PIP) --python .venv-sbom/bin/python install --quiet --no-deps .venv-sbom/wheel/*.whl
	@$(BIN)/cyclonedx-py environment .venv-sbom/bin/python --pyproject pyproject.toml \
		--output-reproducible --output-format JSON --output-file sbom.json
	@rm -rf .venv-sbom
	@echo "The list is in sbom.json."

# --universal: one file serves every supported Python and system. No file names the host it was resolved from.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade
lock: | python
	@"$(PYTHON)" -m venv --clear .venv-lock
	@.venv-lock/bin/python -m pip --disable-pip-version-check install --quiet "uv>=0.8"
	@.venv-lock/bin/$(LOCK) pyproject.toml --all-extras --group dev --output-file requirements/dev.txt
	@.venv-lock/bin/$(LOCK) pyproject.toml --all-extras --group tests --group build -c requirements/dev.txt --output-file requirements/ci.txt
	@.venv-lock/bin/$(LOCK) pyproject.toml --all-extras -c requirements/dev.txt --output-file requirements/runtime.txt
	@.venv-lock/bin/$(LOCK) --group build -c requirements/dev.txt --output-file requirements/build.txt
	@.venv-lock/bin/$(LOCK) pyproject.toml requirements/oldest.in --all-extras --group tests --group build --output-file requirements/oldest.txt
	@rm -rf .venv-lock
	@! grep -nE '://|^--|^-i' requirements/*.txt

clean:
	rm -rf $(VENV) .venv-* build dist site sbom.json htmlcov .coverage .coverage.* certs-test/out
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
