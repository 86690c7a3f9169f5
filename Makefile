# make help says what there is. Everything is installed into .venv, once; after that no network is needed.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
MADE := $(VENV)/.made
# One process of tests for each core; which tests are left is shared anew when one has none.
ON_EVERY_CORE := --numprocesses=logical --maxprocesses=8 --dist=worksteal
INSTALL := $(RUN)/python -m pip --disable-pip-version-check install -c constraints.txt
# Programs of the system are where only root looks for them.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.PHONY: help demo run test audit bench faults fuzz conformance clean moved mosquitto postgresql node

help: ## what there is
	@sed -n -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.demo ## the daemon at work on real parts, 30 seconds; with a broker of yours: BROKER=host:port
	@$(RUN)/csms demo $(if $(BROKER),--broker $(BROKER)) $(if $(PICTURE),--save-picture $(PICTURE))

run: $(VENV)/.demo ## the daemon alone, in the foreground; with settings: CONFIG=file
	@exec $(RUN)/twistd --nodaemon --pidfile= csms $(if $(CONFIG),--config $(CONFIG))

test: mosquitto postgresql node $(VENV)/.test ## all checks and tests, with all their set-up
	@echo "== ruff" && $(RUN)/ruff check . && $(RUN)/ruff format --check .
	@$(MAKE) --no-print-directory audit
	@echo "== mypy" && $(RUN)/mypy
	@echo "== import-linter" && $(RUN)/lint-imports
	@echo "== pytest" && $(RUN)/python -m pytest $(ON_EVERY_CORE) $(TESTS) < /dev/null

audit: $(VENV)/.test ## bandit, and pip-audit where the advisories of PyPI can be reached
	@echo "== bandit" && $(RUN)/bandit --quiet --recursive --severity-level medium csms twisted
	@echo "== pip-audit" && { $(RUN)/pip-audit --version > /dev/null && { found=0; \
	  said="$$($(RUN)/pip-audit --progress-spinner off --timeout 10 --disable-pip --no-deps \
	    --requirement constraints.txt 2>&1)" || found=$$?; \
	  skipped=$$(grep -c 'could not be audited' <<< "$$said" || true); \
	  if grep -q 'Found .* vulnerabilit' <<< "$$said"; then echo "$$said"; exit 1; \
	  elif [ $$found != 0 ]; then echo "NOT DONE: no advisories to be had: $$(tail -n 1 <<< "$$said" | cut -c 1-200)"; \
	  elif [ $$skipped != 0 ]; then echo "NOT DONE for $$skipped packages: no advisories of them to be had"; \
	  else echo "$$said"; fi; }; }

bench: mosquitto $(VENV)/.test ## the daemon against its peers, three minutes; QUICK=1 for a short look
	@$(RUN)/python benchmarks/bench.py $(if $(QUICK),--quick)

faults: mosquitto postgresql $(VENV)/.test ## the fault matrix on real processes, a quarter of an hour; some of it: FAULTS=broker; a smaller storm: CROWD=1000
	@$(RUN)/python -m tests.faults $(FAULTS)

fuzz: $(VENV)/.test $(VENV)/.fuzz ## look for what breaks codec, handshake and session, MINUTES=5; one: TARGET=codec
	@$(RUN)/python -m tests.fuzz --minutes $(or $(MINUTES),5) $(if $(SEED),--seed $(SEED)) $(TARGET)

conformance: $(VENV)/.test ## the Autobahn test suite where it is (WSTEST=program, wstest or Docker); some of it: CASES='6.* 13.*'
	@set -f; $(RUN)/python -m tests.conformance $(CASES)

clean: ## remove what make has made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# The virtual environment. One that was made for another folder (a copied checkout) is made anew.
ifneq ($(shell cat $(MADE) 2> /dev/null),$(CURDIR))
$(MADE): moved
endif
moved:

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "csms needs Python 3.11 or later; name one: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null || $(call apt,python3-venv,Python's venv)
	@echo "making $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "$(CURDIR)" > $@

# What is installed is the checkout itself (compat: the other editable modes hide the plugin from twistd).
define install
	@echo "installing $(1) into $(VENV)"
	@$(INSTALL) -q setuptools
	@$(INSTALL) --no-build-isolation --config-settings editable_mode=compat -e '.[$(1)]' \
	  | sed -u -n -E 's/^Collecting ([A-Za-z0-9._-]+).*/  \1/p; s/^(Installing collected packages).*/  \1/p'
	@touch $@
endef

$(VENV)/.demo: $(MADE) setup.cfg constraints.txt
	$(call install,demo)

$(VENV)/.test: $(MADE) setup.cfg constraints.txt
	$(call install,test$(,)demo$(,)postgresql)
	@touch $(VENV)/.demo

# Where there is no atheris for this Python, a mutation fuzzer of our own does the work.
$(VENV)/.fuzz: $(MADE) setup.cfg constraints.txt
	@$(INSTALL) -q atheris 2> /dev/null || echo "atheris cannot be installed: by mutation only"
	@touch $@

, := ,

# $(call apt,packages,what for): install packages of the system where that is allowed, else say what is missing.
define apt
{ \
  as=; [ "$$(id -u)" = 0 ] || as="sudo -n"; \
  if command -v apt-get > /dev/null && { [ -z "$$as" ] || $$as true 2> /dev/null; }; then \
    echo "installing $(1) by apt"; \
    $$as apt-get update -qq < /dev/null && \
    $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) < /dev/null > /dev/null; \
  else \
    echo "$(2) is missing: install the package $(1)" >&2; exit 1; \
  fi; \
}
endef

mosquitto:
	@command -v mosquitto > /dev/null || $(call apt,mosquitto,mosquitto)

postgresql:
	@command -v initdb > /dev/null || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 \
	  || $(call apt,postgresql,PostgreSQL)

node:
	@{ command -v node && command -v npm; } > /dev/null || $(call apt,nodejs npm,node with npm)
