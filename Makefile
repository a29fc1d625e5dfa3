# Thin on purpose: each target is one readable line; the work is in scripts/, brewhaven/ and tests/.
.PHONY: setup up down test labs practice storm check mutate bench lock
PHASE ?= 1

setup: ; @python3 scripts/setup.py
up: setup ; @.venv/bin/brewhaven up --phase "$(PHASE)"
down: ; @test ! -x .venv/bin/brewhaven || .venv/bin/brewhaven down
test: setup ; @.venv/bin/python -m pytest -n 4 --dist loadgroup --no-loadscope-reorder
labs: setup ; @.venv/bin/python -m pytest tests/labs
practice: setup ; @.venv/bin/python -m pytest tests/practice
storm: setup ; @.venv/bin/python -m pytest tests/storm
check: setup ; @.venv/bin/python scripts/check.py
mutate: setup ; @.venv/bin/python -m brewhaven.mutate --phase "$(PHASE)"
bench: setup ; @.venv/bin/python -m brewhaven.bench
lock: setup ; @.venv/bin/python scripts/lock.py
