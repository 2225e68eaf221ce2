"""The GitHub workflows: valid by GitHub's schema, targets of the Makefile, least permissions."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.paths import ROOT

from container.test_image import TARGETS

ACTION = ROOT / ".github" / "actions" / "environment" / "action.yml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
READ_ONLY = {"contents": "read"}
WRITERS = {"comment": {"pull-requests": "write"}}


def read(path: Path) -> dict:
    return YAML(typ="safe").load(path)  # YAML 1.2: `on` is a string


JOBS = {f"{path.stem}: {name}": job for path in WORKFLOWS for name, job in read(path)["jobs"].items()}
STEPS = [step for job in JOBS.values() for step in job["steps"]] + read(ACTION)["runs"]["steps"]
RUNS = [step["run"] for step in STEPS if "run" in step]
USES = [step["uses"] for step in STEPS if "uses" in step]


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.dependabot", ROOT / ".github" / "dependabot.yml"),
        ("vendor.github-actions", ACTION),
        *(("vendor.github-workflows", path) for path in WORKFLOWS),
    ],
    ids=lambda value: getattr(value, "stem", None),
)
def test_a_workflow_is_valid_by_its_schema(schema, path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_actionlint_finds_no_mistake():
    actionlint = shutil.which("actionlint")
    if actionlint is None:
        pytest.skip("NOT LINTED: expressions in workflows are not tested; install actionlint")
    done = subprocess.run([actionlint, "-no-color"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_every_make_target_exists():
    used = {word for run in RUNS for word in re.findall(r"\bmake ([a-z-]+)", run)}
    assert {"install", "lint", "test", "test-slow", "container-test", "demo", "report", "audit"} <= used
    assert used - targets() == set()


def test_the_audit_takes_the_locked_packages_with_their_hashes_and_resolves_nothing():
    """Its database is on the network, so only its shape is tested here."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\naudit:")[2].splitlines()[1]
    assert recipe.strip() == "pipx run pip-audit --requirement requirements.lock --require-hashes --disable-pip"
    assert "--hash=sha256:" in (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert JOBS["check: audit"]["steps"][-1] == {"run": "make audit"}


def test_the_scan_takes_the_images_of_the_container_tests_and_a_scanner_by_its_digest():
    """As the audit, it needs the network."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^GRYPE := \S+:v[\d.]+@sha256:[0-9a-f]{64}$", makefile, flags=re.MULTILINE)
    recipe = makefile.partition("\nscan:")[2].partition("\n\n")[0]
    assert f"for target in {' '.join(TARGETS)}; do" in recipe
    assert "localhost/modelyard:$$target" in recipe
    assert [step["run"] for step in JOBS["check: container"]["steps"][-2:]] == [
        "make container-test FULL=1",
        "make scan",
    ]


def test_every_script_exists_and_is_executable():
    scripts = {word for run in RUNS for word in re.findall(r"(?<![\w/])\.ci/[\w-]+", run)}
    assert scripts == {".ci/fresh-machine"}
    assert all(os.access(ROOT / script, os.X_OK) for script in scripts)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_read_access_only(path):
    assert read(path)["permissions"] == READ_ONLY


def test_the_only_job_with_write_access_runs_no_code_of_the_pull_request():
    writers = {name.partition(": ")[2]: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    assert writers == WRITERS
    uses = {step["uses"].partition("@")[0] for step in JOBS["check: comment"]["steps"] if "uses" in step}
    assert uses == {"actions/download-artifact"}


def test_every_action_has_a_version_tag():
    assert [
        each for each in USES if not re.fullmatch(r"actions/[a-z-]+@v\d+|\./\.github/actions/environment", each)
    ] == []


def test_a_checkout_stores_no_token():
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert [step.get("with", {}).get("persist-credentials") for step in checkouts] == [False] * len(checkouts)


def test_no_command_contains_an_expression():
    """A branch name could contain a command; such values are passed as environment variables."""
    assert [run for run in RUNS if "${{" in run] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_used_output_of_a_job_or_step_exists(path):
    jobs = read(path)["jobs"]
    for job, output in re.findall(r"\bneeds\.([\w-]+)\.outputs\.([\w-]+)", path.read_text(encoding="utf-8")):
        assert output in jobs[job]["outputs"]
    for job in jobs.values():
        assert {job["needs"]} <= set(jobs) if "needs" in job else True
        ids = {step.get("id") for step in job["steps"]}
        assert set(re.findall(r"\bsteps\.([\w-]+)\.", str(job))) <= ids


def test_expressions_use_known_contexts():
    known = r"(github|runner|needs|steps|matrix|inputs)\.[\w.-]+|hashFiles\('[^']+'(, '[^']+')*\)"
    written = "".join(path.read_text(encoding="utf-8") for path in [ACTION, *WORKFLOWS])
    terms = {term for each in re.findall(r"\$\{\{(.*?)\}\}", written) for term in re.split(r"==|&&|\|\|", each)}
    assert [term for term in terms if not re.fullmatch(rf"\s*({known}|'[^']*')\s*", term)] == []


@pytest.mark.parametrize("name", JOBS)
def test_every_job_has_a_timeout(name):
    assert JOBS[name]["timeout-minutes"] <= 350


def test_wheels_and_the_dvc_cache_are_cached():
    paths = {step["with"]["path"] for step in STEPS if step.get("uses", "").startswith("actions/cache@")}
    assert paths == {"~/.cache/uv", ".dvc/cache"}
