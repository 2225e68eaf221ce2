"""Images and servers as they are written, and the scripts in them; `make container-test` builds and runs them."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import psycopg
import pytest
from ruamel.yaml import YAML
from support.paths import ROOT
from support.postgresql import postgresql, postgresql_server  # noqa: F401 (fixtures)

from modelyard.tuning.storage import VARIABLE

SCRIPTS = ROOT / "container"
BOUND = 60
STUDY = "digits_cnn"
RUNNABLE = ("test", "server", "pipeline", "worker")


def instructions() -> Iterator[tuple[str, str, str]]:
    """Each instruction of the Dockerfile as its stage, its word and the rest, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    stage = ""
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stage = rest.rpartition(" AS ")[2] if " AS " in rest else "default"
        if word:
            yield stage, word, rest


INSTRUCTIONS = list(instructions())
BASES = {stage: rest.split()[0] for stage, word, rest in INSTRUCTIONS if word == "FROM"}


def of_stage(stage: str) -> list[tuple[str, str]]:
    """The instructions of a stage, after those of the stages that it is based on."""
    inherited = of_stage(BASES[stage]) if BASES[stage] in BASES else []
    return inherited + [(word, rest) for where, word, rest in INSTRUCTIONS if where == stage]


def is_sent(path: str) -> bool:
    """Whether .dockerignore lets a path into the build: the last rule that fits it, or a folder around it, decides."""
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    around = [path, *(parent.as_posix() for parent in Path(path).parents)]
    sent = True
    for rule in (each for each in rules if each and not each.startswith("#")):
        pattern = rule.removeprefix("!").removeprefix("**/")
        tried = [each.name for each in map(Path, around)] if "**/" in rule else around
        if any(fnmatch(each, pattern) and each.count("/") == pattern.count("/") for each in tried):
            sent = rule.startswith("!")
    return sent


@pytest.fixture(scope="module")
def services() -> dict:
    return YAML(typ="safe").load(ROOT / "compose.yaml")["services"]


def test_the_base_is_an_argument_and_every_stage_stands_on_it():
    assert INSTRUCTIONS[0] == ("", "ARG", "BASE=python:3.11-slim-bookworm")
    assert {base for base in BASES.values() if base not in BASES} == {"${BASE}"}
    assert set(RUNNABLE) < set(BASES)
    assert BASES["default"] == "pipeline"


@pytest.mark.parametrize("stage", RUNNABLE)
def test_nobody_with_power_runs_an_image(stage):
    assert [rest for word, rest in of_stage(stage) if word == "USER"][-1] == "10001:10001"


@pytest.mark.parametrize("stage", ["dependencies", "server-dependencies"])
def test_dependencies_are_a_layer_that_no_edit_of_the_code_makes_anew(stage):
    copied = [rest for word, rest in of_stage(stage) if word == "COPY"]
    assert copied == ["pyproject.toml requirements.lock ./"]


def test_an_image_has_what_was_installed_and_not_what_installed_it():
    for stage in ("server", "pipeline", "worker"):
        assert not [rest for word, rest in of_stage(stage) if word == "RUN" and "uv" in rest.split()]
        assert [rest for word, rest in of_stage(stage) if word == "COPY" and rest.endswith("/opt/venv /opt/venv")]


def test_all_that_is_installed_is_checked_against_the_lock_file():
    installs = [rest for _, word, rest in INSTRUCTIONS if word == "RUN" and " pip " in rest]
    assert len(installs) == 6
    for rest in installs:
        ours = "--no-deps --no-build-isolation" in rest
        locked = "--verify-hashes --constraints requirements.lock" in rest
        assert ours or locked or "--require-hashes" in rest, rest


def test_what_is_copied_is_there_and_is_sent():
    copied = [rest.split() for _, word, rest in INSTRUCTIONS if word == "COPY" and "--from" not in rest]
    for path in (each for words in copied for each in words[:-1] if not each.startswith("--") and each != "."):
        assert (ROOT / path).exists(), path
        inside = [each.relative_to(ROOT).as_posix() for each in (ROOT / path).rglob("*")]
        assert any(map(is_sent, [path, *inside])), path


def test_only_the_server_tells_of_its_health():
    assert [stage for stage, word, _ in INSTRUCTIONS if word == "HEALTHCHECK"] == ["server"]


def test_no_argument_and_no_variable_of_an_image_is_a_secret():
    settings = " ".join(rest for _, word, rest in INSTRUCTIONS if word in ("ARG", "ENV", "LABEL"))
    assert not re.search(r"PASSWORD|SECRET|TOKEN|_KEY", settings, flags=re.IGNORECASE)


@pytest.mark.parametrize(
    "path",
    [
        ".git/config", ".env", ".venv/bin/python", ".dvc/cache/files/md5/00/0", ".dvc/config.local",
        ".modelyard/runs/a", "data/raw/mnist/a.gz", "data/inputs/mnist/test/x.npy", "mlflow.db",
        "mlartifacts/1/model.keras", "results/mnist_cnn/model/model.keras", "results/mnist_cnn/predictions.csv",
        "reports/index.html", "pretrained/results/a/model/model.keras", "src/modelyard/__pycache__/a.pyc",
        "anything/else", "id_rsa",
    ],
)  # fmt: skip
def test_data_models_history_and_secrets_stay_out_of_the_build(path):
    assert not is_sent(path)


@pytest.mark.parametrize(
    "path", ["src/modelyard/cli/run.py", "params.yaml", "dvc.lock", "results/xor_mlp/metrics.json"]
)
def test_what_the_pipeline_needs_is_sent(path):
    assert is_sent(path)


def test_mlflow_and_optuna_have_databases_and_names_of_their_own(services):
    runs = services["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"]
    studies = {services[name]["environment"][VARIABLE] for name in ("dashboard", "worker")}
    assert len(studies) == 1
    assert services["dashboard"]["command"][1] == "/opt/modelyard/dashboard.py"  # it takes the address in VARIABLE
    assert (runs, *studies) == (
        "postgresql+psycopg://mlflow@database/mlflow",
        "postgresql+psycopg://optuna@database/optuna",
    )


def test_every_password_comes_from_the_environment_and_none_may_be_missing(services):
    given = {
        value for service in services.values() for name, value in service["environment"].items() if "PASSWORD" in name
    }
    assert len(given) == 3
    assert all(re.fullmatch(r"\$\{\w+PASSWORD:\?is missing, [^}]+\}", value) for value in given)
    assert not re.search(r"://[^/\s]*:[^/\s]*@", (ROOT / "compose.yaml").read_text(encoding="utf-8"))


def test_ports_are_open_to_this_machine_alone_unless_somebody_says_otherwise(services):
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(ports) == {"database", "mlflow", "dashboard"}
    assert all(each.startswith(("${BIND:-127.0.0.1}:", "127.0.0.1:")) for (each,) in ports.values())
    assert ports["dashboard"][0].startswith("127.0.0.1:")  # it asks for no password


def test_the_server_keeps_artifacts_in_a_volume_and_answers_to_names_it_was_told(services):
    assert services["mlflow"]["volumes"] == ["artifacts:/srv/mlflow"]
    kept = next(rest for word, rest in of_stage("server") if word == "ENV" and "MLFLOW_ARTIFACTS_DESTINATION" in rest)
    assert "MLFLOW_ARTIFACTS_DESTINATION=/srv/mlflow/artifacts" in kept
    assert "mlflow:*" in services["mlflow"]["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"]


def test_workers_are_replicas_that_read_their_data(services):
    assert services["worker"]["deploy"]["replicas"] == "${WORKERS:-2}"
    assert services["worker"]["volumes"][0].endswith(":/data:ro")


def test_servers_that_never_write_to_their_image_cannot(services):
    assert {name for name, service in services.items() if service.get("read_only")} == {"mlflow", "dashboard"}


def said(script: str, *arguments: str, **variables: str) -> tuple[int, str]:
    """The exit code of a script in this environment, and what it says as an error."""
    around = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "PG", "MODELYARD"))}
    done = subprocess.run(
        [sys.executable, SCRIPTS / script, *arguments],
        env=around | variables,
        capture_output=True,
        text=True,
        timeout=BOUND,
    )
    return done.returncode, done.stderr


def test_a_server_without_a_password_is_refused():
    code, told = said("serve.py")
    assert code == 1
    assert told.startswith("error: MLFLOW_AUTH_ADMIN_PASSWORD is not set")


def test_a_taken_port_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        where = {"MLFLOW_HOST": "127.0.0.1", "MLFLOW_PORT": port, "MLFLOW_AUTH_ADMIN_PASSWORD": "a long password"}
        code, told = said("serve.py", **where)
    assert code == 1
    assert f"port {port} cannot be had: Address already in use" in told


def test_a_worker_without_a_study_or_a_database_is_told():
    code, told = said("join_study.py")
    assert (code, told.partition(":")[2][:17]) == (1, " STUDY is not set")
    code, told = said("join_study.py", STUDY=STUDY)
    assert (code, f"{VARIABLE} is not set" in told) == (1, True)


def test_what_a_worker_waits_for_is_told_and_ends_when_the_study_is_begun(postgresql):  # noqa: F811
    import optuna

    code = f"from join_study import Place, wait_for; wait_for({STUDY!r}, Place({postgresql!r}))"
    waiting = subprocess.Popen([sys.executable, "-c", code], cwd=SCRIPTS, stderr=subprocess.PIPE, text=True)
    try:
        assert waiting.stderr.readline().startswith(f"waiting for study {STUDY} in postgresql+psycopg://...@127.0.0.1")
        optuna.create_study(study_name=STUDY, storage=postgresql)
        assert waiting.wait(timeout=BOUND) == 0
    finally:
        waiting.kill()
        waiting.communicate()


HELLO = (sys.executable, "-c", "import sys; sys.exit('the command runs')")


def test_a_command_that_needs_no_database_runs_at_once():
    assert said("await_database.py", *HELLO) == (1, "the command runs\n")
    assert said("await_database.py", *HELLO, **{VARIABLE: "studies.journal"}) == (1, "the command runs\n")


def test_a_database_that_stays_away_is_named_without_its_password():
    address = "postgresql+psycopg://ann:hush@127.0.0.1:9/studies"
    code, told = said("await_database.py", *HELLO, **{VARIABLE: address, "MODELYARD_WAIT_SECONDS": "0.5"})
    assert code == 1
    assert told.startswith("waiting for postgresql+psycopg://ann:***@127.0.0.1:9/studies: connection")
    assert "has not answered for 0.5 s" in told
    assert "hush" not in told


def test_a_database_that_refuses_is_told_at_once(postgresql):  # noqa: F811
    code, told = said("await_database.py", *HELLO, **{VARIABLE: postgresql.replace("/test_", "/no_such_")})
    assert code == 1
    assert "refuses" in told
    assert "does not exist" in told


def test_a_database_that_is_slow_to_come_is_waited_for(postgresql):  # noqa: F811
    real = int(re.search(r":(\d+)/", postgresql)[1])
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))  # and nobody listens yet
        late = postgresql.replace(f":{real}/", f":{door.getsockname()[1]}/")
        waiting = subprocess.Popen(
            [sys.executable, SCRIPTS / "await_database.py", *HELLO],
            env=os.environ | {VARIABLE: late}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert waiting.stderr.readline().startswith("waiting for postgresql+psycopg://postgres@127.0.0.1")
            door.listen()
            threading.Thread(target=let_through, args=(door, real), daemon=True).start()
            assert waiting.communicate(timeout=BOUND)[1].endswith("the command runs\n")
        finally:
            waiting.kill()
            waiting.communicate()


def let_through(door: socket.socket, port: int) -> None:
    """Connect the first who comes with a port of this machine, until both have said all."""
    visitor, _ = door.accept()
    host = socket.create_connection(("127.0.0.1", port))
    answering = threading.Thread(target=pass_on, args=(host, visitor), daemon=True)
    answering.start()
    pass_on(visitor, host)
    answering.join()


def pass_on(one: socket.socket, other: socket.socket) -> None:
    while words := one.recv(4096):
        other.sendall(words)
    other.shutdown(socket.SHUT_WR)


@pytest.fixture
def team(postgresql_server) -> Iterator[str]:  # noqa: F811
    """The address of a server on which databases.sql was run, up to the names."""
    programs, port = postgresql_server
    server = f"postgresql://postgres@127.0.0.1:{port}"
    passwords = {"MLFLOW_DATABASE_PASSWORD": "it's one", "OPTUNA_PASSWORD": "another"}
    command = [programs / "psql", "-v", "ON_ERROR_STOP=1", "-f", SCRIPTS / "databases.sql", f"{server}/postgres"]
    subprocess.run(command, env=os.environ | passwords, check=True, capture_output=True, timeout=BOUND)
    yield f"127.0.0.1:{port}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        for name in ("mlflow", "optuna"):
            admin.execute(f"DROP DATABASE {name}")
            admin.execute(f"DROP ROLE {name}")


def test_who_has_the_password_of_the_studies_cannot_read_the_runs(team):
    for name in ("mlflow", "optuna"):
        psycopg.connect(f"postgresql://{name}@{team}/{name}").close()
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(f"postgresql://optuna@{team}/mlflow")
