# Everything a newcomer types. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo up down test check format faults bench alerts lock schemas clean

CASES ?= 300
NIGHT ?=
ENGINE ?= full
WORKERS ?= 2
ARGS ?=
YEAR ?=
BIN := .venv/bin
READY := .venv/.ready
PROMTOOL := .venv/promtool/usr/bin/promtool
JUDGES := tests/contract/javascript/node_modules/.ready
LOG_JUDGE := .venv/log-judge
AUDITOR := .venv/auditor/.ready
PEERS := .venv-bench/.ready
# Tests that need the machine to themselves: whole engines, and faults with their clocks. The others run abreast.
WHOLE := tests/acceptance tests/faults
ABREAST := -n auto --maxprocesses 4

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

demo: $(READY) ## run a night of cases through the closed loop  [CASES=300 | NIGHT=dir] [ENGINE=inline]
	@.ci/openssl
	@$(BIN)/gateway demo --engine $(ENGINE) $(if $(NIGHT),--night "$(NIGHT)",--cases $(CASES))

up: $(READY) ## start everything on this machine, each in its own process  [WORKERS=2]
	@$(BIN)/gateway up --workers $(WORKERS)

down: $(READY) ## stop what `make up` started
	@$(BIN)/gateway down

test: check $(JUDGES) $(LOG_JUDGE) $(AUDITOR) proxy browser ## run the checks, then every test  [ARGS=… goes to pytest]
	$(if $(ARGS),$(BIN)/pytest $(ARGS),$(BIN)/pytest $(ABREAST) $(WHOLE:%=--ignore=%) && $(BIN)/pytest $(WHOLE))

check: $(READY) ## format, lint, types, layers, dependencies
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry . --no-ansi 2>&1 | tail -n 8

format: $(READY) ## rewrite what the formatter and the linter can
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --fix --quiet .

bench: $(READY) $(JUDGES) $(PEERS) ## measure: medians and ratios of one run, with the machine  [YEAR=1 for a national year]
	$(BIN)/python -m tests.bench $(if $(YEAR),--year $(YEAR)) $(ARGS)

faults: $(READY) ## the rows of tests/faults in full, crash points two hundred times each  [ARGS=--write]
	$(BIN)/python -m tests.faults $(ARGS)

alerts: $(PROMTOOL) ## judge the alert rules by Prometheus' own promtool, unpacked from Debian's package
	$(PROMTOOL) check rules gateway/operations/alerts.yaml
	$(PROMTOOL) check config gateway/operations/prometheus.yaml
	$(PROMTOOL) test rules tests/data/alerts.test.yaml

lock: $(READY) ## lock all dependencies anew, with hashes and without addresses
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --upgrade --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --constraint requirements.lock --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements.image.lock
	$(BIN)/uv pip compile tests/bench/peers/requirements.in --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --upgrade --output-file tests/bench/peers/requirements.lock

schemas: $(READY) ## generate the strict FHIR schemas anew from the official definitions
	@work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && cd "$$work" \
	  && npm pack --silent hl7.fhir.r4b.core@4.3.0 >/dev/null && tar -xzf ./*.tgz \
	  && cd "$(CURDIR)" && $(BIN)/python -m gateway.documents.fhir.generate "$$work/package" schemas/fhir

clean: ## remove what the targets made (the demo's data too)
	rm -rf .venv .venv-bench .gateway tests/contract/javascript/node_modules tests/bench/peers/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

# ── what the targets need ──────────────────────────────────────────────────────────────────────────────────────────
# The locks name everything, so pip has nothing to solve: what was released since they were made cannot interfere.
$(READY): requirements.lock pyproject.toml .ci/python
	@.ci/python
	@echo "installing locked dependencies into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check --quiet
	@touch $@

$(PROMTOOL): $(READY)
	@rm -rf .venv/promtool && mkdir .venv/promtool && cd .venv/promtool && apt-get download prometheus 2>/dev/null \
	  && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb

.PHONY: proxy browser
proxy:
	@.ci/nginx

browser:
	@.ci/browser

$(JUDGES): tests/contract/javascript/package-lock.json $(READY)
	@echo "installing the JavaScript judges"
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix tests/contract/javascript --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(LOG_JUDGE): tests/contract/golang/judge.go .ci/judges $(READY)
	@.ci/judges
	@echo "building the Go judge of the exchange log"
	@GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$(CURDIR)/.venv/go" go build -o $@ $<

$(AUDITOR): requirements.lock $(READY)
	@echo "making an auditor's environment: Python and cryptography, nothing of ours"
	@rm -rf $(@D) && $(BIN)/python -m venv $(@D)
	@awk '/^[a-z]/ {kept = /^(cryptography|cffi|pycparser|typing-extensions)==/} kept' requirements.lock > $(@D)/requirements
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(@D)/requirements
	@touch $@

$(PEERS): tests/bench/peers/requirements.lock tests/bench/peers/package-lock.json $(READY)
	@echo "installing what the bench measures beside us into .venv-bench"
	@rm -rf .venv-bench && $(BIN)/python -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  -r tests/bench/peers/requirements.lock
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix tests/bench/peers --silent --no-audit --no-fund --ignore-scripts
	@touch $@
