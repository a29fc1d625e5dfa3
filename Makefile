# Thin on purpose: each target is one readable line; the work is in brewhaven/ and tests/.
.PHONY: setup up down test check bench
PHASE ?= 1

setup: ; python3 scripts/setup.py
up: setup ; .venv/bin/brewhaven up --phase $(PHASE)
down: ; .venv/bin/brewhaven down
test: setup ; .venv/bin/python -m pytest
check: setup ; .venv/bin/python scripts/check.py
bench: setup ; .venv/bin/python -m brewhaven.bench
