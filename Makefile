# Two commands matter: `make run` and `make test`. `make` alone lists the others.
# Needs Python 3.11 or newer (name another with PYTHON=...) and nothing else: every tool is installed into .venv.

# The first interpreter that is new enough; when none is, plain python3, so that the set-up script can say what is wrong.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; done; echo python3)
BIN := .venv/bin
# Further arguments: `make run ARGS="--port 9000"`, `make test ARGS="tests/graph -x"`
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test coverage check lint format types docs-check docs openapi compatibility lock bench-recall \
	bench-latency bench-paging bench-events bench-transfer bench-extraction clean venv-runtime venv-dev

help: ## List these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN {FS = ":.*## "} {printf "  make %-18s %s\n", $$1, $$2}'

run: venv-runtime ## Set up .venv and start the server with its own Neo4j (Ctrl-C stops both)
	@exec $(BIN)/loci serve $(ARGS)

test: venv-dev ## Run the whole test suite on a real Neo4j, in a private home and a scrubbed environment
	@exec $(BIN)/python scripts/run_tests.py $(ARGS)

coverage: venv-dev ## The same with branch coverage and its floor
	@$(BIN)/python scripts/run_tests.py --cov --cov-report=term $(ARGS)

check: lint types docs-check ## Lint, formatting, types, documentation, openapi.json, import boundaries

lint: venv-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: venv-dev ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: venv-dev
	$(BIN)/mypy

docs-check: venv-dev
	$(BIN)/python scripts/run_tests.py --no-fetch -q -m static tests/contract

docs: venv-dev ## Write the generated parts of docs and .env.example
	$(BIN)/python -m scripts.docs

openapi: venv-dev ## Write openapi.json from the code
	$(BIN)/python -m scripts.openapi

compatibility: venv-dev ## Call every route of every API and write what they answered into docs/compatibility.md
	@$(BIN)/python -m scripts.compatibility
	@LOCI_TEST_WRITE_TABLES=1 $(BIN)/python scripts/run_tests.py -n 0 -k TestTable tests/compat

# What lands in the files must not depend on where they were made: no index address, no local folder, no command line.
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --build-deps-for wheel --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

lock: venv-dev ## Resolve requirements/*.txt anew, with hashes (UPGRADE=1 takes newer versions)
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra local --extra mcp -o requirements/runtime.txt pyproject.toml
	$(COMPILE) $(if $(UPGRADE),--upgrade) --all-extras -c requirements/runtime.txt -o requirements/dev.txt pyproject.toml
	@! grep -nE '://|^-|@ file' requirements/runtime.txt requirements/dev.txt || { echo "an address got into the lock files" >&2; exit 1; }

bench-recall: venv-dev ## Recall quality over labelled collections, through HTTP
	$(BIN)/python -m bench.recall $(ARGS)

bench-latency: venv-dev ## Latency of store and search at 10,000 memories
	$(BIN)/python -m bench.latency $(ARGS)

bench-paging: venv-dev ## Cost of a page near the start and the end of 10,000 items, while others write
	$(BIN)/python -m bench.paging $(ARGS)

bench-events: venv-dev ## Webhooks, the event stream and jobs while workers are killed: 10,000 events, 5,000 jobs
	$(BIN)/python -m bench.events $(ARGS)
	$(BIN)/python -m bench.story_jobs

bench-transfer: venv-dev ## Export of 100,000 memories and import into an empty namespace: same answers, flat memory
	$(BIN)/python -m bench.transfer $(ARGS)

bench-extraction: venv-dev ## Precision and recall of entity extraction
	$(BIN)/python -m bench.extraction $(ARGS)

clean: ## Remove .venv, caches and build products (never LOCI_HOME, where the data is)
	rm -rf .venv build dist htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv-runtime:
	@$(PYTHON) scripts/setup_venv.py runtime

venv-dev:
	@$(PYTHON) scripts/setup_venv.py dev
