# Everything a developer needs. `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= 3
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SHELL  := /bin/bash
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.PHONY: help run test check bench faults setup front lock format docs clean

help: ## List what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: $(VENV)/.run front ## Bring up the whole platform with a demo city
	$(BIN)/madang demo $(ARGS)

test: $(VENV)/.dev front ## Run every test; what the machine lacks is skipped with the reason
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

check: $(VENV)/.dev front ## Format, lint, types, imports, docs, front end
	$(BIN)/ruff format --check src tests benchmarks tools hatch_build.py
	$(BIN)/ruff check src tests benchmarks tools hatch_build.py
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python tools/write_docs.py --check
	$(BIN)/python hatch_build.py check

bench: $(VENV)/.dev front ## Measure against the limits; writes docs/benchmarks.md
	$(BIN)/madang bench $(ARGS)

faults: $(VENV)/.dev ## Do every fault on purpose, seeded; writes docs/faults.md
	$(BIN)/python -m tests.faults $(ARGS)

setup: $(VENV)/.dev front ## Prepare the virtual environment and the front end

front: | $(VENV)/.run ## Build the control-room screens if their sources changed
	@$(BIN)/python hatch_build.py

docs: $(VENV)/.dev ## Rewrite the generated parts of the documentation
	$(BIN)/python tools/write_docs.py

format: $(VENV)/.dev ## Format and sort imports
	$(BIN)/ruff format src tests benchmarks tools hatch_build.py
	$(BIN)/ruff check --fix src tests benchmarks tools hatch_build.py

lock: $(VENV)/.dev ## Resolve the dependencies anew into the lock files
	$(BIN)/python tools/lock.py

clean: ## Remove what was built and the demo's state
	rm -rf $(VENV) var build dist frontend/node_modules src/madang/console/static/app

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Madang needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
