# One file, four images: `docker build --target pipeline|worker|server|test .`; docs/container.md tells how to use them.
# Dependencies are a layer of their own, which an edit of the code leaves alone.
ARG BASE=python:3.11-slim-bookworm

# --- what all stages share: who runs in them, and where
FROM ${BASE} AS ground
RUN groupadd --gid 10001 modelyard \
 && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /tmp modelyard
# Any user may run an image, also one that has no name and no home: what programs keep for themselves goes to /tmp.
ENV PATH=/opt/venv/bin:${PATH} HOME=/tmp USER=modelyard PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp/matplotlib \
    GIT_PYTHON_REFRESH=quiet MLFLOW_DISABLE_TELEMETRY=true
LABEL org.opencontainers.image.title="Modelyard" \
      org.opencontainers.image.description="Lecture-notebook models, rebuilt: fetch, normalise, train, evaluate, compare" \
      org.opencontainers.image.licenses="MIT"

# --- uv, taken with its hash from the lock file: it installs in seconds what takes pip minutes. No image keeps it.
FROM ground AS installer
WORKDIR /build
COPY pyproject.toml requirements.lock ./
RUN python -m venv /opt/uv \
 && awk '/^[a-z]/ {ours = /^uv==/} ours' requirements.lock > uv.lock \
 && /opt/uv/bin/python -m pip install --no-cache-dir --require-hashes --no-deps -r uv.lock \
 && python -m venv --without-pip /opt/venv
ENV PATH=${PATH}:/opt/uv/bin VIRTUAL_ENV=/opt/venv UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1

# --- what a server needs: no TensorFlow
FROM installer AS server-dependencies
RUN uv pip install --quiet --verify-hashes --constraints requirements.lock --group server

# --- what the pipeline needs
FROM installer AS dependencies
RUN uv pip install --quiet --verify-hashes --constraints requirements.lock --requirements pyproject.toml

# --- the project as it stands in an image: readable for everybody, writable for nobody, compiled once
FROM dependencies AS project
WORKDIR /opt/modelyard/project
COPY LICENSE README.md params.schema.json params.yaml pyproject.toml dvc.yaml dvc.lock .dvcignore ./
COPY .dvc .dvc
COPY pipeline pipeline
COPY pretrained pretrained
COPY studies studies
COPY reports reports
COPY results results
COPY src src
# Installed for its command alone; the code that runs is that in /project, as in a checkout.
RUN cp -r . /build/project \
 && uv pip install --quiet --no-deps --no-build-isolation --prefix /opt/installed /build/project \
 && python -m compileall -q src && chmod -R a+rX,go-w .

# --- MLflow's server and Optuna's dashboard
FROM ground AS server
COPY --from=server-dependencies /opt/venv /opt/venv
COPY --chmod=755 container/await_database.py container/dashboard.py container/serve.py /opt/modelyard/
# A new volume takes over the mode of this folder, so that any user can write to it.
RUN install --directory --mode=1777 /srv/mlflow
ENV MLFLOW_HOST=0.0.0.0 MLFLOW_PORT=5000 MLFLOW_WORKERS=2 \
    MLFLOW_BACKEND_STORE_URI=sqlite:////srv/mlflow/mlflow.db MLFLOW_ARTIFACTS_DESTINATION=/srv/mlflow/artifacts
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
WORKDIR /srv/mlflow
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", \
  "import os, urllib.request as ask; ask.urlopen(f'http://127.0.0.1:{os.environ[\"MLFLOW_PORT\"]}/health', timeout=4)"]
ENTRYPOINT ["python", "/opt/modelyard/await_database.py"]
CMD ["python", "/opt/modelyard/serve.py"]

# --- the pipeline: `docker run -v ...:/project modelyard` is `modelyard run`
FROM ground AS pipeline
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=project /opt/installed /opt/venv
COPY --from=project /opt/modelyard/project /opt/modelyard/project
COPY --chmod=755 container/enter container/await_database.py container/join_study.py /opt/modelyard/
# A new volume takes over the mode of this folder, so that any user can write to it.
RUN install --directory --mode=1777 /project
ENV PYTHONPATH=/project/src MODELYARD_MIRROR=/data DVC_SITE_CACHE_DIR=/project/.dvc/tmp/site
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
WORKDIR /project
ENTRYPOINT ["/opt/modelyard/enter"]
CMD ["modelyard", "run"]

# --- a worker: joins the study that STUDY names
FROM pipeline AS worker
CMD ["python", "/opt/modelyard/await_database.py", "python", "/opt/modelyard/join_study.py"]

# --- the tests: this image is there only if they pass. `--build-arg TESTS=tests/test_runner.py` runs some of them.
FROM dependencies AS test
# Debian serves the newest of a package alone, so that a pinned version would soon be gone.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
RUN uv pip sync --quiet --require-hashes requirements.lock \
 && install --directory --owner=10001 --group=10001 /project
WORKDIR /project
COPY --chown=10001:10001 . .
RUN uv pip install --quiet --no-deps --no-build-isolation --editable .
USER 10001:10001
# Some tests clone the project: here it becomes a repository of its own.
RUN git init --quiet && git add --all \
 && git -c user.name=image -c user.email=image@localhost commit --quiet --message "The project as it was built"
ARG TESTS
RUN PYTEST_ADDOPTS="${TESTS}" python -m pytest -p no:cacheprovider

# --- what a build without a target gives
FROM pipeline
