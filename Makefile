# The same targets for people, CI and containers.
PYTHON ?= python3
BIN := .venv/bin
COMPILE := uv pip compile pyproject.toml --group dev --generate-hashes --python-version 3.11 --quiet \
	--no-header --annotation-style line --no-emit-index-url

.PHONY: help install run demo report ui doctor test test-slow test-all container-test compose-test scan bench \
	lint audit check-lock check-schemas format lock schema wheel readme clean

help: ## list all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed ## create .venv from requirements.lock, hashes checked

run: install ## rebuild all experiments whose data is available
	@$(BIN)/modelyard run

demo: install ## rebuild the experiments whose data ships with installed packages, and write the report
	@$(BIN)/modelyard run --demo
	@$(BIN)/modelyard report

report: install ## write reports/index.html; AGAINST=main adds the changes since that branch
	@$(BIN)/modelyard report $(if $(AGAINST),--against "$(AGAINST)")

ui: install ## browse the runs in MLflow
	@$(BIN)/modelyard ui

doctor: install ## check the installation, data and disk space
	@$(BIN)/modelyard doctor

test: install ## run all tests except the slow ones
	@$(BIN)/python -m pytest -m "not slow" $(PYTEST)

test-slow: install ## run the slow tests: rebuilds, servers, interrupted and killed processes
	@$(BIN)/python -m pytest -n 2 -m slow $(PYTEST) # most of them use every core by themselves

test-all: test test-slow ## run every test

container-test: install ## build and test the images, with docker or podman; FULL=1 runs all tests inside
	@$(BIN)/python -m pytest -n 0 container/test_image.py

compose-test: install ## start the servers of compose.yaml and test them, with docker or podman
	@$(BIN)/python -m pytest -n 0 container/test_compose.py

# By its digest: tags of scanners have been moved to malicious images.
GRYPE := docker.io/anchore/grype:v0.120.1@sha256:e4a44ef45d285b829ce6efe2642980329661bd2d18eab5fc539138d4adaebbbe
scan: ## look up known vulnerabilities of the images that container-test has built (needs a network and docker)
	@mkdir -p build
	@set -e; for target in pipeline worker server serving serving-keras; do \
	  docker save --output build/image.tar localhost/modelyard:$$target; \
	  docker run --rm --volume "$$PWD/build:/images:ro" $(GRYPE) docker-archive:/images/image.tar --only-fixed --fail-on high; \
	  rm build/image.tar; \
	done

bench: install ## measure time and memory against the notebooks (BENCH="--quick", or the names of parts)
	@$(BIN)/python -m benchmarks $(BENCH)

lint: install check-lock check-schemas ## check formatting, lint, types, imports, lock file and schemas
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

audit: ## look up known vulnerabilities of the locked packages (needs a network and pipx)
	pipx run pip-audit --requirement requirements.lock --require-hashes --disable-pip

check-lock: install
	@cp requirements.lock .venv/checked.lock
	@$(BIN)/$(COMPILE) --output-file .venv/checked.lock
	@diff requirements.lock .venv/checked.lock || (echo "requirements.lock does not follow pyproject.toml: make lock"; false)

check-schemas: install
	@for file in params claims published; do \
	  $(BIN)/modelyard schema $$file | diff - $$file.schema.json || { echo "$$file.schema.json is not up to date: make schema"; exit 1; }; \
	done

format: install ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: install ## pin the newest allowed versions in requirements.lock
	$(BIN)/$(COMPILE) --upgrade --output-file requirements.lock

schema: install ## write the JSON Schemas with which editors check params.yaml, claims.yaml and published.yaml
	@for file in params claims published; do $(BIN)/modelyard schema $$file > $$file.schema.json; done

wheel: install ## build the package as a wheel, in dist/
	@rm -rf build dist
	@$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist .
	@ls dist/*.whl

readme: install ## bring the README's results and pictures up to date with the last rebuild
	$(BIN)/python docs/fill_readme.py

clean: ## remove the environment, data and built results, but not the cache of DVC or the MLflow runs
	rm -rf .venv data/raw data/inputs
	rm -rf results/*/model results/*/onnx results/*/figures results/*/history.csv results/*/predictions.csv

# uv installs in seconds what takes pip minutes; it is itself taken, with its hash, from the lock file.
# Compiled here once, imports take half the time in every process to come, also where Python may write no bytecode.
.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' \
	  || { echo "Python 3.11 or 3.12 is needed: make install PYTHON=python3.12"; false; }
	$(PYTHON) -m venv .venv
	@awk '/^[a-z]/ {ours = /^uv==/} ours' requirements.lock > .venv/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.lock
	$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@
