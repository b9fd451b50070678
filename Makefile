PYTHON ?= python3
PORT ?=
LAB ?=

.PHONY: help lab test book setup sync bench clean
.DEFAULT_GOAL := help

help: ## what each target does
	@sed -n "s/^\([a-z]*\):.*## /  make \1\t/p" Makefile

lab: setup ## environment, sample data, doctor, JupyterLab (PORT=8899, LAB=--no-browser)
	@exec .venv/bin/dojo lab $(if $(PORT),--port $(PORT)) $(LAB)

setup: ## the environment alone, from requirements.lock (PYTHON=python3.12)
	@$(PYTHON) -I src/dojo/install.py

test: ## the whole suite, from nothing
	@$(PYTHON) -I src/dojo/install.py --browser
	@.venv/bin/dojo lab --setup-only
	@.venv/bin/dojo tools add soda
	@.venv/bin/dojo tools add book
	@.venv/bin/dojo tools add binder
	@if command -v npm > /dev/null; then .venv/bin/dojo tools add gitlab-ci-local; fi
	@.venv/bin/python -m pytest

book: setup ## the site, from the committed notebooks, into book/_build/html
	@.venv/bin/python -m dojo.site

sync: setup ## every derived file: exercises, notebooks, reference pages
	@.venv/bin/dojo tools add soda
	@.venv/bin/dojo sync

bench: setup ## the speed table, each yardstick measured beside ours
	@.venv/bin/dojo bench

clean: ## the environment, the book and the caches; your work in work/ stays
	rm -rf .venv .pytest_cache .ruff_cache book/_build
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
