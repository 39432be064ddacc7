# The five things one does with a checkout. Everything happens in .venv; nothing is installed elsewhere.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# No build isolation: what builds need has been installed from requirements-build.lock, hashes and all.
INSTALL := $(PIP) install --no-build-isolation
OURS := directmail_relay tests bench

.PHONY: help venv dev demo test soak check lint format types imports bench lock clean

help:
	@echo "make demo   the relay plays the guide's SMTP session against itself and shows what became of the mail"
	@echo "make test   the whole test suite, on SQLite and PostgreSQL"
	@echo "make soak   the long form: against a real name server (knot, installed by apt-get when it is not there)"
	@echo "make check  format, lint, types, import law, tests"
	@echo "make bench  how fast it is, in one table"
	@echo "make venv   .venv with what the relay needs and no more"

# A stamp per lock file: the environment is made once and again when the lock changes.
$(VENV)/.made: requirements-build.lock requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes -r requirements-build.lock
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --editable .
	touch $@

$(VENV)/.made-dev: requirements-dev.lock $(VENV)/.made
	$(INSTALL) --require-hashes -r requirements-dev.lock
	touch $@

venv: $(VENV)/.made

dev: $(VENV)/.made-dev

demo: venv
	$(BIN)/directmail-relay demo $(DEMO_ARGS)

test: dev
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# RUNLEVEL=1: where it is installed now, no name server of the system is started.
soak: dev
	command -v knotd >/dev/null || RUNLEVEL=1 apt-get install -y --no-install-recommends knot
	$(BIN)/python -m pytest tests/soak -m soak -n0 $(PYTEST_ARGS)

lint: dev
	$(BIN)/ruff format --check $(OURS)
	$(BIN)/ruff check $(OURS)

format: dev
	$(BIN)/ruff format $(OURS)
	$(BIN)/ruff check --fix $(OURS)

types: dev
	$(BIN)/mypy

imports: dev
	$(BIN)/lint-imports

check: lint types imports test

bench: dev
	$(BIN)/python -m bench $(BENCH_ARGS)

# Made with uv; --universal so that one file serves every Python from 3.11 on. No index address may end up in it.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links
lock:
	$(LOCK) --group build -o requirements-build.lock
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) --extra dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
