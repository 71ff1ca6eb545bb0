# What one does with a checkout: `make demo`, `make test`, `make check`, `make bench`, `make fuzz`.
#
# Each sets up what it needs on a fresh machine: the Python environment in .venv, the npm packages,
# the browser bundle, and for the tests a browser. What is there and fresh is left alone.

.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
# Half a dozen processes read the same thousands of lines: one of them compiles them for all.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
BROWSER := peer/browser
BENCH := bench/browsers
BUNDLE := origin/static/manifest.json
SOURCES := $(shell find $(wildcard $(BROWSER)/src $(BROWSER)/dashboard) -type f) \
	$(wildcard $(BROWSER)/build*.mjs) $(BROWSER)/tsconfig.json p2pcdn/__init__.py

# The first Python that is new enough; `make PYTHON=...` beats the search.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)

.PHONY: help
help:
	@echo "make demo    see it work: a video, a page and a dashboard on this machine; ends with Ctrl-C"
	@echo "make test    every test, those in real browsers included"
	@echo "make test-compose   the containers, with a Docker engine"
	@echo "make check   style, types, generated files"
	@echo "make docs    the documentation, as a site"
	@echo "make bench   what is measured, with the figures of this machine"
	@echo "make fuzz    millions of inputs from strangers, some ten minutes (INPUTS=...)"
	@echo "make mutants break what integrity rests on, to see the tests notice; some twenty minutes"
	@echo "make clean   remove what the above have made"

# Each target that runs something says what is wrong in a sentence, so make need not.
.PHONY: demo
demo: $(BUNDLE) $(VENV)/.installed
	@$(BIN)/p2pcdn demo $(ARGS)

# Crowds of real browsers need both cores of a small machine: one test after the other. What waits as
# much as it works has as many processes as keep two cores busy. Tests that know no time but their own
# take what all those leave of the machine, and tell at the end. 5 is pytest's word for that there was
# nothing to run (`ARGS="-k ..."`).
TIMELESS := tests/p2pcdn/core tests/p2pcdn/sim tests/p2pcdn/wire tests/fuzz
.PHONY: test
test: $(BUNDLE) $(VENV)/.installed-dev $(BENCH)/dist/p2pml.js
	@told() { case $$1 in 0) ran=yes ;; 5) ;; *) failed=yes ;; esac; }; \
	run() { $(BIN)/pytest "$$@" $(ARGS); told $$?; }; \
	later=$$(mktemp); trap 'kill -TERM -$$idle 2>/dev/null; rm $$later' EXIT; trap 'exit 130' INT TERM; \
	$(BIN)/python -m tests.idle $(BIN)/pytest $(TIMELESS) --numprocesses 2 --dist worksteal --timeout 0 \
		$(ARGS) >$$later 2>&1 & idle=$$!; \
	$(BIN)/python -m tests.prepare & preparing=$$!; \
	(cd $(BROWSER) && npm test --silent) || exit; \
	wait $$preparing || exit; \
	run tests/e2e -m crowd; \
	run tests/e2e -m "browser and not crowd" --numprocesses 3 --dist loadgroup; \
	run -m "not browser" --ignore tests/e2e --ignore tests/compose $(TIMELESS:%=--ignore %) --numprocesses 5 --dist worksteal; \
	wait $$idle; told $$?; cat $$later; \
	[ "$$ran" ] && [ -z "$$failed" ]

# Builds the images, brings docker-compose.yml up, plays in a browser, kills what runs, takes it down.
.PHONY: test-compose
test-compose: $(VENV)/.installed-dev
	@docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1 || { \
		echo "The containers are tested in a Docker engine with Compose, and none answers" \
			"(\`docker info\`, \`docker compose version\`)." >&2; exit 1; }
	@$(BIN)/python -m tests.prepare
	@$(BIN)/pytest tests/compose $(ARGS)

# What the images are made of. After a change of what p2pcdn needs, and for what is new elsewhere.
.PHONY: lock
lock: $(VENV)/.installed-dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	@$(BIN)/python deploy/lock.py

# Both images, which say of what version and commit they are.
.PHONY: images
images:
	@for target in full serve; do \
		tag=p2pcdn; [ $$target = full ] || tag=p2pcdn:$$target; \
		docker build --target $$target --tag $$tag \
			--build-arg VERSION=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' p2pcdn/__init__.py) \
			--build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) . || exit; done

.PHONY: check
check: $(BROWSER)/node_modules/.installed $(VENV)/.installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@cd $(BROWSER) && npm run --silent check
	@$(BIN)/python -m p2pcdn.wire.schema --check
	@$(BIN)/python -m p2pcdn.cli.reference --check

# What is wrong with a link, or a page that nobody leads to, is an error.
.PHONY: docs
docs: $(VENV)/.installed-dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "The documentation is in site/: open site/index.html."

.PHONY: bench
bench: $(BUNDLE) $(VENV)/.installed-dev $(BENCH)/dist/p2pml.js
	@$(BIN)/python -m tests.prepare
	@$(BIN)/python -m bench.loops --rounds 5
	@$(BIN)/python -m bench.origin.library
	@$(BIN)/python -m bench.origin
	@$(BIN)/python -m bench.search
	@$(BIN)/python -m bench.siege --rounds 3
	@$(BIN)/python -m bench.ledger
	@$(BIN)/python -m bench.tracker
	@$(BIN)/python -m bench.native
	@$(BIN)/python -m bench.add
	@$(BIN)/python -m bench.savings
	@$(BIN)/python -m bench.churn
	@$(BIN)/python -m bench.browsers $(ARGS)
	@$(BIN)/python -m bench.sim
	@mkdir -p .p2pcdn/bench
	@$(BIN)/python -m bench.compiled bench.hostile --trials 10000 --jobs 2 \
		--out .p2pcdn/bench/hostile.jsonl

# Half of the inputs are for what is Python, half for what is TypeScript; another seed each time.
INPUTS ?= 20000000
.PHONY: fuzz
fuzz: $(BUNDLE) $(VENV)/.installed-dev
	@RFC9110_BATCHES=5000 $(BIN)/pytest -q --timeout 0 tests/origin/test_rfc9110.py tests/origin/test_path_forms.py
	@$(BIN)/python -m tests.fuzz --inputs $$(( $(INPUTS) / 2 )) $(ARGS)
	@cd $(BROWSER) && FUZZ_INPUTS=$$(( $(INPUTS) / 2 )) FUZZ_SEED=$$(date +%s) \
		npx vitest run test/fuzz --reporter=verbose

# Each survivor is a test that is missing, or is explained in docs/reference/mutants.md.
.PHONY: mutants
mutants: $(VENV)/.installed-dev
	@$(BIN)/mutmut run $(ARGS)
	@$(BIN)/mutmut results

.PHONY: bundle
bundle: $(BUNDLE)

.PHONY: clean
clean:
	rm -rf site $(VENV) .venv-fast $(BROWSER)/node_modules origin/static tracker/static dist .p2pcdn/demo \
		$(BENCH)/node_modules $(BENCH)/dist .p2pcdn/bench \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis mutants

# Set-up. A stamp is newer than all it was made from.

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "p2pcdn needs Python 3.11 or later, and there is none on the PATH: install one," \
			"or say where it is, \`make PYTHON=/path/to/python3\`." >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "p2pcdn needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
		exit 1; }
	@echo "Making the Python environment in $(VENV)."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python cannot make an environment: install its venv module" \
			"(on Debian or Ubuntu: apt-get install python3-venv)." >&2; exit 1; }

# The bundle first: the build of the Python package takes it, or else would build it itself.
$(VENV)/.installed: pyproject.toml hatch_build.py | $(BIN)/python $(BUNDLE)
	@echo "Installing p2pcdn and what it needs into $(VENV)."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml hatch_build.py | $(BIN)/python $(BUNDLE)
	@echo "Installing p2pcdn and the tools of its developers into $(VENV)."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

$(BROWSER)/node_modules/.installed: $(BROWSER)/package.json $(BROWSER)/package-lock.json
	@command -v npm >/dev/null && node -e \
		'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || a == 20 && b >= 19 ? 0 : 1)' || { \
		echo "Building the browser's part needs Node.js 20.19 or later with npm" \
			"(https://nodejs.org); there is $$(node --version 2>/dev/null || echo none)." >&2; exit 1; }
	@echo "Installing the npm packages."
	@cd $(BROWSER) && npm ci --silent
	@touch $@

# Whom we are measured against, and whom the tracker has to serve. Scripts of packages are not run: none is needed.
$(BENCH)/node_modules/.installed: $(BENCH)/package.json $(BENCH)/package-lock.json
	@echo "Installing p2p-media-loader, to be measured beside it, and to try the tracker with."
	@cd $(BENCH) && npm ci --ignore-scripts --silent
	@touch $@

$(BENCH)/dist/p2pml.js: $(BENCH)/p2pml.mjs $(BENCH)/client.mjs $(BENCH)/node_modules/.installed
	@cd $(BENCH) && npm run --silent build
	@touch $@

$(BUNDLE): $(SOURCES) $(BROWSER)/node_modules/.installed
	@cd $(BROWSER) && npm run --silent build
	@touch $@
