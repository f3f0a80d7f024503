# Everything a newcomer types. `make` alone lists it.
PYTHON_IN := .venv/bin/python
SOURCES := taxohash pipelines services benchmarks tests
JOBS ?= 2
ARGS ?=
COVERAGE ?=
MEASURED := --cov --cov-report= --cov-fail-under=0
PYTEST = OMP_NUM_THREADS=1 $(PYTHON_IN) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
# Where the environment forbids to keep bytecode, each of the many processes that demo and tests start would compile
# all it imports: half of the suite's time.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install data demo test test-all chaos attack loop dashboards night cluster images versions lint format docs lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

install: ## make .venv with everything a developer needs
	@sh scripts/install

data: install ## put the data set named by data.dvc into data/
	@$(PYTHON_IN) -m pipelines.data

demo: install ## train, gate, publish and serve on real images (ONCE=1: answer one search and stop)
	@$(PYTHON_IN) -m pipelines.demo $(if $(ONCE),--once)

test: install ## the tests but the slow ones (ARGS="-k name" for a part, JOBS=1 for one process, COVERAGE=1 for the floor of coverage)
	@sh scripts/browser
	@sh scripts/servers
	@sh scripts/monitoring
	@$(PYTEST) -m "not slow" $(if $(COVERAGE),$(MEASURED)) $(ARGS)
	@$(if $(COVERAGE),sh scripts/coverage)

test-all: install ## every test, and what they cover against its floor
	@sh scripts/browser
	@sh scripts/servers
	@sh scripts/monitoring
	@sh scripts/valkey
	@sh scripts/checkov
	@$(PYTEST) $(MEASURED)
	@sh scripts/coverage

chaos: install ## break all around the code store for 15 minutes and look for what is lost (SEED=, MINUTES=, SCENARIO=)
	@sh scripts/servers
	@$(PYTHON_IN) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SCENARIO),--scenario $(SCENARIO))

attack: install ## attack the service in every way for half an hour, told in benchmarks/results/door.md (SCENARIO=, COUNT=, SEED=)
	@$(PYTHON_IN) -m tests.attack $(or $(SCENARIO),table) $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

loop: install ## close the loop once: drift, alert, retraining, swap, with the real Prometheus; its timeline, and a picture of it in .loop
	@sh scripts/monitoring
	@$(PYTHON_IN) -m tests.loop --out .loop

dashboards: install ## draw every panel of Grafana's dashboards from a system that is really used, into .dashboards (OUT=, SECONDS=)
	@sh scripts/monitoring
	@$(PYTHON_IN) -m tests.dashboards $(if $(OUT),--out $(OUT)) $(if $(SECONDS),--seconds $(SECONDS))

night: install ## a night in ten minutes: data arrive, models get worse and better, steps and disks fail; its history is checked line by line
	@$(PYTHON_IN) -m tests.night

cluster: install ## a real Kubernetes node, as root on Debian, and the manifests on it: deployed, upgraded, broken on purpose (SCENE=, OUT=, KEEP=1)
	@$(PYTHON_IN) -m tests.cluster $(if $(SCENE),--scene $(SCENE)) $(if $(OUT),--out $(OUT)) $(if $(KEEP),--keep)

images: install ## make the images of a Bento and of the pipelines without Docker, in .cache/images (IMAGE=serving, BENTO=tag)
	@$(if $(filter-out pipelines,$(IMAGE)),,sh scripts/images pipelines)
	@$(if $(filter-out serving,$(IMAGE)),,sh scripts/images serving $(BENTO))

versions: ## the core's tests on the other Pythons that the library allows, where they are found
	@sh scripts/versions

lint: install ## ruff, its formatter, mypy --strict, and who may import whom
	@$(PYTHON_IN) -m ruff check .
	@$(PYTHON_IN) -m ruff format --check .
	@$(PYTHON_IN) -m mypy --strict $(SOURCES)
	@.venv/bin/lint-imports --no-logo

format: install ## let ruff put the sources in order
	@$(PYTHON_IN) -m ruff check --fix .
	@$(PYTHON_IN) -m ruff format .

docs: install ## write docs/api.md, the dashboards and the PrometheusRule anew
	@$(PYTHON_IN) -m services.reference
	@$(PYTHON_IN) -m services.dashboards
	@sh scripts/rules

lock: install ## write the versions in .venv to constraints.txt
	@{ head -n 1 constraints.txt; $(PYTHON_IN) -m pip freeze --all --exclude pip --exclude wheel --exclude-editable | sed 's/+cpu$$//'; } >constraints.new
	@mv constraints.new constraints.txt

clean: ## remove what was made, environment and data included
	rm -rf .venv .cache .demo .loop .dashboards data runs generations local_outputs build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
