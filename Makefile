# `make` lists the targets. Every one of them builds .venv first if it isn't there or is out of date.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-long check bench chaos rate screenshots clean

# A home that is missing or read-only (containers, build machines) must not matter: caches then live here.
ifeq ($(shell test -w "$$HOME" && echo yes),)
export UV_CACHE_DIR ?= $(CURDIR)/.tools/cache/uv
export OUTREACH_CACHE_DIR ?= $(CURDIR)/.tools/cache/outreach-stream
endif

READY := .venv/.ready
BENCHES = $(shell grep -l __main__ benchmarks/*.py)
NEEDS_KAFKA := tests/kafka tests/chaos tests/browser tests/live

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## build .venv with everything in it (finds or fetches uv and Python 3.13)

$(READY): pyproject.toml uv.lock .ci/setup
	.ci/setup
	@touch $@

demo: $(READY) ## see it work: Kafka, 1,000 people, an inbox, all roles; ARGS="…" for options
	.venv/bin/outreach demo $(ARGS)

test: $(READY) ## run all tests, against a real Kafka, three side by side; ARGS="-k …" for some, JOBS=n
	@.ci/test $(ARGS)

test-unit: $(READY) ## run the tests that need no Kafka
	.venv/bin/pytest $(addprefix --ignore=,$(NEEDS_KAFKA)) $(ARGS)

test-long: $(READY) ## run the tests that take minutes and are no part of `make test`
	.venv/bin/pytest -m long $(ARGS)

chaos: $(READY) ## break it all, 10,000 recipients a run, and count every one; RUNS=n SEED=s RESULTS=file
	@.venv/bin/python -m tests.chaos $(RUNS:%=--runs %) $(SEED:%=--seed %) $(RESULTS:%=--results %) $(ARGS)

rate: $(READY) ## five minutes of senders that come, go, freeze and thaw, and no second above the limit
	@.venv/bin/python -m tests.chaos --only "five minutes of senders that come, go, freeze and thaw" --runs 1 \
	    $(SEED:%=--seed %) $(RESULTS:%=--results %)

check: $(READY) ## lint, types, import direction: what CI demands before the tests
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: $(READY) ## measure what docs/benchmarks.md quotes; BENCH=mime for one of them
	@$(if $(BENCH),,.venv/bin/outreach bench || exit 1;) for script in $(or $(BENCH:%=benchmarks/%.py),$(BENCHES)); do \
	    echo "== $$script"; .venv/bin/python $$script $(ARGS) || exit 1; \
	done

screenshots: $(READY) ## take the pictures of the page in docs/images anew, of a system that runs (needs Chromium)
	@.venv/bin/python -m tests.browser.screenshots

clean: ## remove what was built, cached or kept here; output/ stays
	rm -rf .venv .tools state dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
