# Each target does all of its own set-up. On a machine that has nothing, start with `make demo`.
SHELL := /bin/sh
DEMO := .venv/demo
DEV := .venv/dev
# What the synthetic corpus is spoken by.
VOICES := espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts
SOURCES := client preprocess model deploy load_tests tests

# ONNX Runtime reports usage to its makers unless it is told not to.
export ORT_DISABLE_TELEMETRY := 1

.PHONY: help demo test lint format bench clean

help:
	@echo 'make demo    start Triton, score a recording, print the report (no torch; about a minute)'
	@echo 'make test    install everything and run the checks and tests'
	@echo 'make bench   measure every figure the README quotes'
	@echo 'make format  format the code and mend what ruff can'
	@echo 'make clean   remove the environments'

demo: $(DEMO)/.ready
	@$(DEMO)/bin/python deploy/local/demo.py

test: lint
	$(DEV)/bin/python -m pytest -m 'not slow'

lint: $(DEV)/.ready
	$(DEV)/bin/ruff check $(SOURCES)
	$(DEV)/bin/ruff format --check $(SOURCES)
	$(DEV)/bin/mypy

bench: $(DEV)/.ready
	$(DEV)/bin/python load_tests/bench/client_cost.py
	$(DEV)/bin/python load_tests/bench/engine.py
	$(DEV)/bin/python -m pytest -m slow

format: $(DEV)/.ready
	$(DEV)/bin/ruff check --fix $(SOURCES)
	$(DEV)/bin/ruff format $(SOURCES)

clean:
	rm -rf .venv

$(DEMO)/.ready: pyproject.toml deploy/local/environment.sh
	@sh deploy/local/environment.sh $(DEMO) local

$(DEV)/.ready: pyproject.toml deploy/local/environment.sh
	@sh deploy/local/environment.sh $(DEV) local,model,train,dev $(VOICES)
