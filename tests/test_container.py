"""Checks of the Dockerfile, compose.yaml and their scripts; `make container-test` builds and runs the images."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from ruamel.yaml import YAML
from support.paths import ROOT

from container.commands import TESTS_IN_IMAGE
from modelyard.tuning.storage import STORAGE_VARIABLE

SCRIPTS = ROOT / "container"
LIMIT_SECONDS = 60
STUDY = "digits_cnn"
RUNNABLE = ("test", "server", "serving", "serving-keras", "pipeline", "worker")


def instructions() -> Iterator[tuple[str, str, str]]:
    """Each instruction of the Dockerfile as its stage, its keyword and its arguments, continued lines joined."""
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
    """Whether .dockerignore keeps a path in the build context: the last rule matching it or a parent folder decides."""
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    candidates = [path, *(parent.as_posix() for parent in Path(path).parents)]
    sent = True
    for rule in (line for line in rules if line and not line.startswith("#")):
        pattern = rule.removeprefix("!").removeprefix("**/")
        names = [Path(name).name for name in candidates] if "**/" in rule else candidates
        if any(fnmatch(name, pattern) and name.count("/") == pattern.count("/") for name in names):
            sent = rule.startswith("!")
    return sent


@pytest.fixture(scope="module")
def services() -> dict:
    return YAML(typ="safe").load(ROOT / "compose.yaml")["services"]


def test_the_base_image_is_an_argument_that_every_stage_uses():
    assert INSTRUCTIONS[0] == ("", "ARG", "BASE=python:3.11-slim-bookworm")
    assert {base for base in BASES.values() if base not in BASES} == {"${BASE}"}
    assert set(RUNNABLE) < set(BASES)
    assert BASES["default"] == "pipeline"


@pytest.mark.parametrize("stage", RUNNABLE)
def test_an_image_has_an_unprivileged_user(stage):
    assert [rest for word, rest in of_stage(stage) if word == "USER"][-1] == "10001:10001"


@pytest.mark.parametrize("stage", ["dependencies", "server-dependencies", "serving-dependencies"])
def test_an_edit_of_the_code_does_not_rebuild_the_dependency_layer(stage):
    copied = [rest for word, rest in of_stage(stage) if word == "COPY"]
    assert copied == ["pyproject.toml requirements.lock ./"]


def test_a_final_image_has_the_dependencies_without_their_installer():
    for stage in ("server", "serving", "serving-keras", "pipeline", "worker"):
        assert not [rest for word, rest in of_stage(stage) if word == "RUN" and "uv" in rest.split()]
        assert [rest for word, rest in of_stage(stage) if word == "COPY" and rest.endswith("/opt/venv /opt/venv")]


def test_every_installation_is_checked_against_the_lock_file():
    installs = [rest for _, word, rest in INSTRUCTIONS if word == "RUN" and " pip " in rest]
    assert len(installs) == 7
    for rest in installs:
        ours = "--no-deps --no-build-isolation" in rest
        locked = "--verify-hashes --constraints requirements.lock" in rest
        assert ours or locked or "--require-hashes" in rest, rest


def test_every_copied_path_exists_and_is_in_the_build_context():
    copied = [rest.split() for _, word, rest in INSTRUCTIONS if word == "COPY" and "--from" not in rest]
    for pattern in (word for words in copied for word in words[:-1] if not word.startswith("--") and word != "."):
        paths = list(ROOT.glob(pattern))
        assert paths, pattern
        files = [file.relative_to(ROOT).as_posix() for path in paths for file in [path, *path.rglob("*")]]
        assert any(map(is_sent, files)), pattern


def test_the_tests_chosen_for_the_image_exist():
    assert [path for path in TESTS_IN_IMAGE if not (ROOT / path).exists()] == []


def test_only_the_servers_have_a_health_check():
    assert [stage for stage, word, _ in INSTRUCTIONS if word == "HEALTHCHECK"] == ["server", "serving", "serving-keras"]


def test_a_health_check_asks_this_container_although_there_is_a_proxy(services):
    """Docker sets these variables in each container if the user's configuration has a proxy."""
    checks = [json.loads(rest.partition(" CMD ")[2]) for _, word, rest in INSTRUCTIONS if word == "HEALTHCHECK"]
    checks.append(services["dashboard"]["healthcheck"]["test"][1:])
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        port = str(server.server_port)
        proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")
        settings = os.environ | {"PORT": port, "MLFLOW_PORT": port, "no_proxy": "", "NO_PROXY": ""} | proxies
        commands = [[sys.executable, "-c", code.replace(":8080", f":{port}")] for _, _, code in checks]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert [subprocess.run(command, env=settings).returncode for command in commands] == [0] * 4
        server.shutdown()
    assert [subprocess.run(command, env=settings).returncode for command in commands] == [1] * 4


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


def test_no_build_argument_or_environment_variable_is_a_secret():
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
def test_data_models_runs_and_secrets_are_not_in_the_build_context(path):
    assert not is_sent(path)


@pytest.mark.parametrize(
    "path",
    [
        "src/modelyard/cli/run.py", "params.yaml", "claims.yaml", "published.yaml", "params.schema.json", "dvc.lock",
        "results/xor_mlp/metrics.json",
    ],
)  # fmt: skip
def test_what_the_pipeline_needs_is_in_the_build_context(path):
    assert is_sent(path)


FILES = (
    "src/modelyard/a.py", "pipeline/train.py", "dvc.yaml", "pretrained/dvc.yaml", "studies/dvc.yaml", ".dvcignore",
    "params.schema.json", "params.yaml", "claims.yaml", "published.yaml", "dvc.lock", ".dvc/config",
    "results/xor_mlp/metrics.json",
)  # fmt: skip


@pytest.fixture
def enter(tmp_path) -> Callable[..., subprocess.CompletedProcess]:
    """Runs the entry point with folders `image`, which has FILES, and `project`; with a limit on a file's size."""
    for file in FILES:
        (tmp_path / "image" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "image" / file).write_text(f"{file} of the image\n")
    (tmp_path / "project").mkdir()
    text = (SCRIPTS / "enter").read_text(encoding="utf-8").replace("/opt/modelyard/project", f"{tmp_path}/image")
    (tmp_path / "enter").write_text(text.replace("cd /project", f"cd {tmp_path}/project"))

    def run(*command: str, blocks: str = "unlimited") -> subprocess.CompletedProcess:
        limited = f'ulimit -f {blocks}; exec sh {tmp_path}/enter "$@"'
        return subprocess.run(["sh", "-c", limited, "sh", *command], capture_output=True, text=True)

    return run


@pytest.mark.parametrize("large", FILES)
def test_a_file_whose_copy_was_killed_is_copied_at_the_next_start(large, enter, tmp_path):
    (tmp_path / "image" / large).write_text("a line of a large file\n" * 100)
    assert enter("true", blocks="1").returncode != 0  # the system kills cp in the middle of this file
    assert enter("echo", "ready").stdout == "ready\n"
    for file in FILES:
        assert (tmp_path / "project" / file).read_text() == (tmp_path / "image" / file).read_text()


def test_a_new_image_replaces_code_and_stages_and_keeps_settings_and_results(enter, tmp_path):
    enter("true")
    for file in FILES:
        (tmp_path / "project" / file).write_text("of an earlier image, or edited\n")
    (tmp_path / "project" / "src/modelyard/removed.py").touch()
    assert "note: params.yaml in /project differs from this image's" in enter("true").stderr
    assert not (tmp_path / "project" / "src/modelyard/removed.py").exists()
    kept = [file for file in FILES if "edited" in (tmp_path / "project" / file).read_text()]
    assert kept == [
        "params.yaml", "claims.yaml", "published.yaml", "dvc.lock", ".dvc/config", "results/xor_mlp/metrics.json",
    ]  # fmt: skip


@pytest.mark.skipif(os.access("/proc", os.W_OK), reason="root may write anywhere")
@pytest.mark.parametrize("folder", ["project", "project/.modelyard"])
def test_a_folder_of_another_user_is_refused_with_its_owner(folder, enter, tmp_path):
    enter("true")
    (tmp_path / folder).chmod(0o555)
    done = enter("true")
    assert done.returncode == 1
    assert f"cannot write to {tmp_path / folder}. Mount a folder" in done.stderr
    assert f"--user {os.getuid()}:{os.getgid()}." in done.stderr


def test_a_checkout_is_used_unchanged(enter, tmp_path):
    (tmp_path / "project/dvc.yaml").write_text("of the checkout")
    (tmp_path / "project/.git").mkdir()
    assert enter("cat", "dvc.yaml").stdout == "of the checkout"
    assert sorted(path.name for path in (tmp_path / "project").iterdir()) == [".git", "dvc.yaml"]


@pytest.mark.parametrize(
    "settings, options",
    [
        ({"HOST": "", "LOG": ""}, "--host 0.0.0.0 --port 8000 --watch 10 --engine auto"),
        (
            {"HOST": "127.0.0.1", "LOG": "/log/requests.jsonl", "WATCH": "60", "ENGINE": "onnx"},
            "--host 127.0.0.1 --port 8000 --watch 60 --engine onnx --log /log/requests.jsonl",
        ),
    ],
)
def test_the_server_of_predictions_takes_its_options_from_variables(settings, options, services, tmp_path):
    (tmp_path / "python").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "python").chmod(0o755)
    environment = os.environ | {"PORT": "8000"} | settings | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["container/answer"], env=environment, capture_output=True, text=True)
    assert done.stdout == f"-m modelyard serve /model/model.onnx {options}\n"
    assert {"MODEL", "WATCH", "ENGINE", "LOG"} < set(services["serving"]["environment"])
    assert "requests:/log" in services["serving"]["volumes"]


@pytest.mark.skipif(os.access("/proc", os.W_OK), reason="root may write anywhere")
@pytest.mark.parametrize("model, moves", [("boston@champion", True), ("boston_linear", False)])
def test_a_registered_model_is_served_from_a_folder_that_can_be_written(model, moves, tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\npwd\n")
    (tmp_path / "python").chmod(0o755)
    environment = os.environ | {"PORT": "8000", "MODEL": model, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([ROOT / "container/answer"], cwd="/proc", env=environment, capture_output=True, text=True)
    assert (done.stdout.strip() != "/proc") == moves


def test_no_mount_is_advised_that_goes_stale():
    """`modelyard run` replaces the folder `onnx` of an experiment, and a container would keep the old one."""
    for file in ("compose.yaml", "docs/serving.md", "docs/container.md"):
        assert not re.search(r"results/\w+/onnx(:|,|\.\s|\s)", (ROOT / file).read_text(encoding="utf-8")), file


def test_mlflow_and_optuna_have_separate_databases_and_roles(services):
    runs = services["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"]
    studies = {services[name]["environment"][STORAGE_VARIABLE] for name in ("dashboard", "worker")}
    assert len(studies) == 1
    assert services["dashboard"]["command"][1] == "/opt/modelyard/dashboard.py"  # it reads STORAGE_VARIABLE
    assert (runs, *studies) == (
        "postgresql+psycopg://mlflow@database/mlflow",
        "postgresql+psycopg://optuna@database/optuna",
    )


def test_every_password_is_a_required_environment_variable(services):
    passwords = {
        value for service in services.values() for name, value in service["environment"].items() if "PASSWORD" in name
    }
    assert len(passwords) == 3
    assert all(re.fullmatch(r"\$\{\w+PASSWORD:\?is missing, [^}]+\}", value) for value in passwords)
    assert not re.search(r"://[^/\s]*:[^/\s]*@", (ROOT / "compose.yaml").read_text(encoding="utf-8"))


def test_ports_are_open_to_this_machine_only_by_default(services):
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(ports) == {"database", "mlflow", "dashboard", "serving"}
    assert all(each.startswith(("${BIND:-127.0.0.1}:", "127.0.0.1:")) for (each,) in ports.values())
    assert all(ports[name][0].startswith("127.0.0.1:") for name in ("dashboard", "serving"))  # without authentication


def test_without_container_networks_every_service_listens_on_loopback_only(services):
    on_host = YAML().load(ROOT / "container/compose.host.yaml")["services"]
    assert on_host.keys() == services.keys()
    assert {service["network_mode"] for service in on_host.values()} == {"host"}
    assert on_host["database"]["command"] == ["-c", "listen_addresses=127.0.0.1"]
    assert on_host["mlflow"]["environment"]["MLFLOW_HOST"] == on_host["serving"]["environment"]["HOST"] == "127.0.0.1"
    assert "--host=127.0.0.1" in on_host["dashboard"]["command"]


def test_the_server_stores_artifacts_in_a_volume_and_checks_host_names(services):
    assert services["mlflow"]["volumes"] == ["artifacts:/srv/mlflow"]
    kept = next(rest for word, rest in of_stage("server") if word == "ENV" and "MLFLOW_ARTIFACTS_DESTINATION" in rest)
    assert "MLFLOW_ARTIFACTS_DESTINATION=/srv/mlflow/artifacts" in kept
    assert "mlflow:*" in services["mlflow"]["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"]


def test_the_documented_addresses_pass_the_checks_of_mlflow(services):
    from mlflow.server.security_utils import is_allowed_host_header, should_block_cors_request

    text = (ROOT / "docs/container.md").read_text(encoding="utf-8")
    hosts, origins = (
        re.search(rf'MLFLOW_ALLOWED_{name}="?([^"`]+)', text)[1].split(",") for name in ("HOSTS", "ORIGINS")
    )
    assert services["mlflow"]["environment"]["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] == "${MLFLOW_ALLOWED_ORIGINS:-}"
    assert is_allowed_host_header(hosts, "mlflow.example.org")
    assert should_block_cors_request("https://mlflow.example.org", "POST", None)  # browsers also name the page's own
    assert not should_block_cors_request("https://mlflow.example.org", "POST", origins)


def test_workers_are_replicas_with_read_only_data(services):
    assert services["worker"]["deploy"]["replicas"] == "${WORKERS:-2}"
    assert services["worker"]["volumes"] == ["${MODELYARD_MIRROR:-data}:/data:ro"]


def test_the_servers_have_a_read_only_root_file_system(services):
    assert {name for name, service in services.items() if service.get("read_only")} == {
        "mlflow",
        "dashboard",
        "serving",
    }


def test_the_projects_own_services_have_no_privileges_and_cannot_gain_any(services):
    unprivileged = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
    assert {name for name, service in services.items() if not unprivileged.items() <= service.items()} == {"database"}


def run_script(script: str, *arguments: str, **variables: str) -> tuple[int, str]:
    """Return the exit code and stderr of a script of container/."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "PG", "MODELYARD"))
    }
    done = subprocess.run(
        [sys.executable, SCRIPTS / script, *arguments],
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    return done.returncode, done.stderr


def test_a_server_without_a_password_is_refused():
    code, error = run_script("serve.py")
    assert code == 1
    assert error.startswith("error: MLFLOW_AUTH_ADMIN_PASSWORD is not set")


def test_a_port_in_use_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        settings = {"MLFLOW_HOST": "127.0.0.1", "MLFLOW_PORT": port, "MLFLOW_AUTH_ADMIN_PASSWORD": "a long password"}
        code, error = run_script("serve.py", **settings)
    assert code == 1
    assert f"port {port} cannot be used: Address already in use" in error


def test_a_worker_without_a_study_or_a_database_is_refused():
    code, error = run_script("join_study.py")
    assert (code, error.partition(":")[2][:17]) == (1, " STUDY is not set")
    code, error = run_script("join_study.py", STUDY=STUDY)
    assert (code, f"{STORAGE_VARIABLE} is not set" in error) == (1, True)


def test_a_worker_waits_until_its_study_exists(postgresql):
    import optuna

    code = f"from container.join_study import StudyStorage, wait_for; wait_for({STUDY!r}, StudyStorage({postgresql!r}))"
    waiting = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert waiting.stderr.readline().startswith(f"waiting for study {STUDY} in postgresql+psycopg://...@127.0.0.1")
        optuna.create_study(study_name=STUDY, storage=postgresql)
        assert waiting.wait(timeout=LIMIT_SECONDS) == 0
    finally:
        waiting.kill()
        waiting.communicate()


HELLO = (sys.executable, "-c", "import sys; sys.exit('the command runs')")


def test_a_command_that_needs_no_database_runs_at_once():
    assert run_script("await_database.py", *HELLO) == (1, "the command runs\n")
    assert run_script("await_database.py", *HELLO, **{STORAGE_VARIABLE: "studies.journal"}) == (1, "the command runs\n")


def test_an_unreachable_database_is_named_without_its_password():
    address = "postgresql+psycopg://ann:hush@127.0.0.1:9/studies"
    code, error = run_script(
        "await_database.py", *HELLO, **{STORAGE_VARIABLE: address, "MODELYARD_WAIT_SECONDS": "0.5"}
    )
    assert code == 1
    assert error.startswith("waiting for postgresql+psycopg://ann:***@127.0.0.1:9/studies: connection")
    assert "has not answered for 0.5 s" in error
    assert "hush" not in error


def test_a_wait_is_ended_by_a_signal_that_the_first_process_of_a_container_ignores_by_default(postgresql):
    settings = os.environ | {STORAGE_VARIABLE: "postgresql+psycopg://127.0.0.1:9/studies"}
    code = f"from container.join_study import StudyStorage, wait_for; wait_for({STUDY!r}, StudyStorage({postgresql!r}))"
    for command in ([SCRIPTS / "await_database.py", *HELLO], ["-c", code]):
        waiting = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=settings, stderr=subprocess.PIPE, text=True
        )
        try:
            assert waiting.stderr.readline().startswith("waiting for")
            waiting.terminate()
            assert waiting.wait(timeout=LIMIT_SECONDS) == 128 + signal.SIGTERM
        finally:
            waiting.kill()
            waiting.communicate()


def test_a_database_that_refuses_the_connection_ends_the_wait(postgresql):
    code, error = run_script(
        "await_database.py", *HELLO, **{STORAGE_VARIABLE: postgresql.replace("/test_", "/no_such_")}
    )
    assert code == 1
    assert "refuses" in error
    assert "does not exist" in error


def test_a_database_that_starts_late_is_waited_for(postgresql):
    real = int(re.search(r":(\d+)/", postgresql)[1])
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))  # not listening yet
        late = postgresql.replace(f":{real}/", f":{server.getsockname()[1]}/")
        waiting = subprocess.Popen(
            [sys.executable, SCRIPTS / "await_database.py", *HELLO],
            env=os.environ | {STORAGE_VARIABLE: late}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert waiting.stderr.readline().startswith("waiting for postgresql+psycopg://postgres@127.0.0.1")
            server.listen()
            threading.Thread(target=forward_connection, args=(server, real), daemon=True).start()
            assert waiting.communicate(timeout=LIMIT_SECONDS)[1].endswith("the command runs\n")
        finally:
            waiting.kill()
            waiting.communicate()


def forward_connection(server: socket.socket, port: int) -> None:
    """Forward the first connection to a port of this machine until both sides are closed."""
    client, _ = server.accept()
    target = socket.create_connection(("127.0.0.1", port))
    answering = threading.Thread(target=forward_bytes, args=(target, client), daemon=True)
    answering.start()
    forward_bytes(client, target)
    answering.join()


def forward_bytes(one: socket.socket, other: socket.socket) -> None:
    while data := one.recv(4096):
        other.sendall(data)
    other.shutdown(socket.SHUT_WR)


@pytest.fixture
def team(postgresql_server) -> Iterator[str]:
    """Host and port of a PostgreSQL server on which databases.sql was run."""
    programs, port = postgresql_server
    server = f"postgresql://postgres@127.0.0.1:{port}"
    passwords = {"MLFLOW_DATABASE_PASSWORD": "it's one", "OPTUNA_PASSWORD": "another"}
    command = [programs / "psql", "-v", "ON_ERROR_STOP=1", "-f", SCRIPTS / "databases.sql", f"{server}/postgres"]
    subprocess.run(command, env=os.environ | passwords, check=True, capture_output=True, timeout=LIMIT_SECONDS)
    yield f"127.0.0.1:{port}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        for name in ("mlflow", "optuna"):
            admin.execute(f"DROP DATABASE {name}")
            admin.execute(f"DROP ROLE {name}")


def test_the_password_of_the_studies_gives_no_access_to_the_runs(team):
    for name in ("mlflow", "optuna"):
        psycopg.connect(f"postgresql://{name}@{team}/{name}").close()
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(f"postgresql://optuna@{team}/mlflow")
