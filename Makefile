# make help lists the targets. Variables: SCALE, DATASET, PROTOCOL, CHECKPOINT, ONLY, SEEDS, CORES, PYTHON.

SHELL := bash
.DELETE_ON_ERROR:
SCALE ?= mini
CORES ?= $(shell nproc)
VENV ?= .venv
export VENV
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(abspath $(VENV))/bin:$(PATH)
# The shell takes their values from the environment, so that an apostrophe in a path stays a letter of it.
export SCALE DATASET PROTOCOL CHECKPOINT ONLY SEEDS
GRID_JOB_OPTIONS := --scale "$$SCALE" $${DATASET:+--dataset "$$DATASET"} $${PROTOCOL:+--protocol "$$PROTOCOL"}
GRID_OPTIONS := $(GRID_JOB_OPTIONS) $${CHECKPOINT:+--checkpoint "$$CHECKPOINT"} $${ONLY:+--only "$$ONLY"} $${SEEDS:+--seeds "$$SEEDS"}
CONFIG := "scale=$$SCALE" $${DATASET:+"dataset=$$DATASET"} $${PROTOCOL:+"protocol=$$PROTOCOL"} $${CHECKPOINT:+"checkpoint=$$CHECKPOINT"} $${ONLY:+"only=$$ONLY"} $${SEEDS:+"seeds=$$SEEDS"}

.PHONY: help setup reproduce unlock test test-slurm check plan status ui server server-packages bench bench-gpu declarations lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

setup: ## .venv with everything pinned; done by the other targets on first use
	@requirements/install.sh

reproduce: setup ## train the grid, evaluate, write the report (SCALE, DATASET, PROTOCOL, SEEDS=3 or auto, ONLY=table5,r50,pc_ap or all)
	@status=0; begun=$$(date +%s); snakemake --cores $(CORES) --config $(CONFIG) -- all || status=$$?; \
	  python -m tsd track-missing $(GRID_OPTIONS); \
	  [ $$status = 0 ] && begun=0; \
	  python -m tsd headline $(GRID_OPTIONS) --since $$begun; exit $$status

unlock: setup ## after a snakemake was killed: remove its lock, so that the next call goes on
	@snakemake --unlock --config $(CONFIG)

test: setup server-packages check ## the whole test suite
	@OMP_NUM_THREADS=1 python -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder

test-slurm: setup ## the tests on a private SLURM cluster of this machine's (docs/slurm-lab.md)
	@TSD_REQUIRE_SLURM=1 python -m pytest tests/slurm

check: setup ## formatter, linter, type checker, workflow linters
	ruff format --check --quiet .
	ruff check --quiet .
	mypy
	snakefmt --check Snakefile workflow
	snakemake --lint

plan: setup ## what it costs to train what is asked for, before anything starts
	@python -m tsd plan $(GRID_OPTIONS)

status: setup ## how far each training is; on a terminal, until Ctrl-C or all are evaluated (ONLY, SEEDS …)
	@python -m tsd status --watch $(GRID_OPTIONS)

ui: setup ## MLflow's comparison pages on loopback, with the addresses of the tables' views
	@python -m tsd ui $(GRID_JOB_OPTIONS)

server-packages: setup
	@uv pip install --quiet --python $(VENV)/bin/python --require-hashes --no-deps -r requirements/server.txt

server: server-packages ## MLflow with users, PostgreSQL and artifacts, on loopback (docs/tracking.md)
	@exec python -m tsd server

bench: setup ## speed on the CPU, as ratios (bench.json)
	python -m tsd bench --out bench.json

bench-gpu: setup ## speed and memory on a GPU, as ratios (bench-gpu.json)
	python -m tsd bench --device cuda --rounds 20 --out bench-gpu.json

declarations: setup ## docs/declarations.md and JSON schemas, from the models of the YAML files
	@python -m tsd declarations

lock: setup ## resolve requirements.in anew
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-package onedl-mmcv requirements/requirements.in -o requirements/requirements.txt
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header \
	  -c requirements/requirements.txt requirements/server.in -o requirements/server.txt
	{ cat requirements/environment.head.yml; \
	  sed -nE 's/^([a-zA-Z0-9._-]+==[^ ]+).*/      - \1/p' requirements/requirements.txt requirements/uv.txt; } > environment.yml

clean: ## remove results, reports and the tracking store; keeps .venv, data and published reports
	rm -rf results mlflow.db mlartifacts .snakemake
	find reports -mindepth 1 -maxdepth 1 -type d ! -name published -exec rm -rf {} +
