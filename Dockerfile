# One file, six images: `docker build --target pipeline|worker|server|serving|serving-keras|test .`; docs/container.md explains their use.
# Dependencies are a separate layer, so that an edit of the code does not install them again.
ARG BASE=python:3.11-slim-bookworm

# --- base of all images: user and environment
FROM ${BASE} AS base
RUN groupadd --gid 10001 modelyard \
 && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /tmp modelyard
# Any user ID may run an image, also one without a name or a home directory: HOME is /tmp.
ENV PATH=/opt/venv/bin:${PATH} HOME=/tmp USER=modelyard PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp/matplotlib \
    GIT_PYTHON_REFRESH=quiet MLFLOW_DISABLE_TELEMETRY=true
LABEL org.opencontainers.image.title="Modelyard" \
      org.opencontainers.image.description="Lecture-notebook models, rebuilt: fetch, normalise, train, evaluate, compare" \
      org.opencontainers.image.licenses="MIT"

# --- uv, installed with the hash in the lock file; it is much faster than pip. It is not part of any final image.
FROM base AS installer
WORKDIR /build
COPY pyproject.toml requirements.lock ./
RUN python -m venv /opt/uv \
 && awk '/^[a-z]/ {ours = /^uv==/} ours' requirements.lock > uv.lock \
 && /opt/uv/bin/python -m pip install --no-cache-dir --require-hashes --no-deps -r uv.lock \
 && python -m venv --without-pip /opt/venv
ENV PATH=${PATH}:/opt/uv/bin VIRTUAL_ENV=/opt/venv UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1

# --- dependencies of the servers, without TensorFlow
FROM installer AS server-dependencies
RUN uv pip install --quiet --verify-hashes --constraints requirements.lock --group server

# --- dependencies of the server of predictions, without TensorFlow and pandas
FROM installer AS serving-dependencies
RUN uv pip install --quiet --verify-hashes --constraints requirements.lock --group serving

# --- dependencies of the pipeline
FROM installer AS dependencies
RUN uv pip install --quiet --verify-hashes --constraints requirements.lock --requirements pyproject.toml --extra cluster

# --- the project's files: readable by everybody, writable by nobody, compiled to bytecode
FROM dependencies AS project
WORKDIR /opt/modelyard/project
COPY LICENSE README.md pyproject.toml requirements.lock *.schema.json params.yaml claims.yaml published.yaml dvc.yaml dvc.lock .dvcignore ./
COPY .dvc .dvc
COPY pipeline pipeline
COPY pretrained pretrained
COPY studies studies
COPY reports reports
COPY results results
COPY src src
# Installed only for the `modelyard` command; the code that runs is in /project, as in a checkout.
RUN cp -r . /build/project \
 && uv pip install --quiet --no-deps --no-build-isolation --prefix /opt/installed /build/project \
 && python -m compileall -q src && chmod -R a+rX,go-w .

# --- MLflow's server and Optuna's dashboard
FROM base AS server
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
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "import os, urllib.request as ask; \
  ask.build_opener(ask.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"MLFLOW_PORT\"]}/health', timeout=4)"]
ENTRYPOINT ["python", "/opt/modelyard/await_database.py"]
CMD ["python", "/opt/modelyard/serve.py"]

# --- a server of predictions: answers for /model/model.onnx, in the image or mounted, or for MODEL=mnist@champion
FROM base AS serving
COPY --from=serving-dependencies /opt/venv /opt/venv
COPY src/modelyard /opt/modelyard/src/modelyard
COPY container/model /model
COPY --chmod=755 container/answer /opt/modelyard/
# A new volume takes over the mode of this folder, so that any user can write a log to it: LOG=/log/requests.jsonl
RUN install --directory --mode=1777 /log
ENV PYTHONPATH=/opt/modelyard/src PORT=8000
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
# A registered model is downloaded to this folder, and kept there.
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", "import os, urllib.request as ask; \
  ask.build_opener(ask.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"PORT\"]}/ready', timeout=4)"]
CMD ["/opt/modelyard/answer"]

# --- the pipeline: `docker run -v ...:/project modelyard` is `modelyard run`
FROM base AS pipeline
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=project /opt/installed /opt/venv
COPY --from=project /opt/modelyard/project /opt/modelyard/project
COPY --chmod=755 container/enter container/answer container/await_database.py container/join_study.py /opt/modelyard/
# A new volume takes over the mode of these folders, so that any user can write to them.
RUN install --directory --mode=1777 /project /log
ENV PYTHONPATH=/project/src MODELYARD_MIRROR=/data MODELYARD_CACHE=off DVC_SITE_CACHE_DIR=/project/.dvc/tmp/site
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
WORKDIR /project
ENTRYPOINT ["/opt/modelyard/enter"]
CMD ["modelyard", "run"]

# --- a worker: joins the study named by STUDY
FROM pipeline AS worker
CMD ["python", "/opt/modelyard/await_database.py", "python", "/opt/modelyard/join_study.py"]

# --- a server of predictions by the libraries that train models, for those that could not be converted to ONNX
FROM pipeline AS serving-keras
ENV PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "import os, urllib.request as ask; \
  ask.build_opener(ask.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"PORT\"]}/ready', timeout=4)"]
ENTRYPOINT []
CMD ["/opt/modelyard/answer"]

# --- the tests: the build fails if a test fails. `--build-arg TESTS=tests/core` runs some of them.
FROM dependencies AS test
# Debian keeps only the newest version of a package, so that a pinned version would soon be missing.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
RUN uv pip sync --quiet --require-hashes requirements.lock \
 && install --directory --owner=10001 --group=10001 /project
WORKDIR /project
COPY --chown=10001:10001 . .
RUN uv pip install --quiet --no-deps --no-build-isolation --editable .
USER 10001:10001
# Some tests clone the project, so it must be a git repository.
RUN git init --quiet && git add --all \
 && git -c user.name=image -c user.email=image@localhost commit --quiet --message "Project at build time"
ARG TESTS
RUN PYTEST_ADDOPTS="${TESTS}" python -m pytest -p no:cacheprovider

# --- the default target
FROM pipeline
