# One command for each thing a developer does. Needs make and Python 3.11 or newer; everything else goes into .venv.
#
#   make demo          install the engine, run a replicated key-value service for a few seconds
#   make test          install the test tools too, run the tests: all but the longest few
#   make check         formatting, lint, types, layers, annotations, every test
#   make fix           mend what can be mended by machine
#   make bench-smoke   run each benchmark, shortened, to see that it still runs
#   make clean         remove everything that make made
#
# Another interpreter: make test PYTHON=/path/to/python3.12

PYTHON ?= python3

# MAKEFILE_LIST begins with a space, and no function of make survives a path with spaces in it: the shell does.
ROOT := $(shell file='$(subst ','\'',$(MAKEFILE_LIST))'; CDPATH= cd -- "$$(dirname -- "$${file# }")" && pwd)
export ROOT PYTHON

HERE := cd "$$ROOT" &&
RUN := $(HERE) .venv/bin/python -m
SAY := printf '\n== %s\n'

.DEFAULT_GOAL := help
.PHONY: help demo test check fix bench-smoke clean ready-run ready-dev

help:
	@$(HERE) sed -n '/^#   make/s/^#   //p' Makefile

demo: ready-run
	@$(HERE) .venv/bin/psmr demo kv

test: ready-dev
	@$(RUN) pytest -n auto --dist loadfile -m "not long"

check: ready-dev
	@$(SAY) "formatting, lint, types, layers"
	@$(RUN) ruff format --check
	@$(RUN) ruff check
	@$(RUN) mypy
	@$(RUN) pytest tests/unit/test_layering.py tests/unit/test_purity.py tests/unit/test_tidy.py
	@$(SAY) "annotations of the applications: lint, verify and infer of each"
	@$(HERE) open=; for name in $$(.venv/bin/python -c 'from psmr.services import app_names; print(*app_names())'); do \
		.venv/bin/psmr cdep lint $$name || exit 1; \
		for asked in "verify $$name --seconds 10" "infer $$name --seconds 5"; do \
			.venv/bin/psmr cdep $$asked || { [ $$? -eq 2 ] || exit 1; open="$$open; $$asked"; }; done; done; \
	echo "undecided in that time: $${open:-; none}" | sed 's/: ; /: /'
	@$(SAY) "every test, the longest too"
	@$(RUN) pytest -n auto --dist loadfile
	@echo "checked: formatting, lint, types, layers; annotations of the applications; every test. Nothing is wrong."

fix: ready-dev
	@$(RUN) ruff format
	@$(RUN) ruff check --fix

bench-smoke: ready-run
	@$(HERE) for name in $$(.venv/bin/psmr bench); do .venv/bin/psmr bench "$$name" --quick || exit 1; done

clean:
	@$(HERE) rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	@$(HERE) find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is what the installation depends on: the place, the interpreter, pyproject.toml's content. It is written
# last, so an installation cut short is made again.
ready-run: EXTRAS :=
ready-dev: EXTRAS := [dev]
ready-run ready-dev:
	@$(HERE) version=$$("$$PYTHON" -c 'import sys; print(*sys.version_info[:3], sep=".")' 2>/dev/null) || { \
		echo "No Python under the name '$$PYTHON': install Python 3.11 or newer, or say which: make PYTHON=/path/to/python3" >&2; \
		exit 1; }; \
	"$$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, '$$PYTHON' is $$version: say which to use: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; }; \
	stamp=$$(pwd; echo "$$version"; cat pyproject.toml); \
	if [ "$$stamp" = "$$(cat .venv/$@ 2>/dev/null)" ]; then exit 0; fi; \
	if [ "$$version" != "$$(.venv/bin/python -c 'import sys; print(*sys.version_info[:3], sep=".")' 2>/dev/null)" ]; then \
		echo "Making .venv with Python $$version"; "$$PYTHON" -m venv --clear .venv || exit 1; fi; \
	echo "Installing psmr$(EXTRAS) into .venv (a few minutes the first time)"; \
	.venv/bin/python -m pip --disable-pip-version-check install --quiet --editable '.$(EXTRAS)' || exit 1; \
	printf '%s\n' "$$stamp" >.venv/ready-run; \
	printf '%s\n' "$$stamp" >.venv/$@
