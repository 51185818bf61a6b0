# Every target is what CI runs, word for word. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export UV_PYTHON_DOWNLOADS := never

UV := .cache/uv/bin/uv
BIN := .venv/bin

.PHONY: help setup

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(UV):
	python3 -m venv .cache/uv
	.cache/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9

setup: $(UV)  ## .venv with everything, from the lock file, hash-checked
	$(UV) sync --quiet --locked
