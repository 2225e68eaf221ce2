"""What looks like a key is named by line and kind, never by its text; ordinary code and results are not."""

import pytest
from support.paths import ROOT

from modelyard.core.keys import PATTERNS, find_keys, warn_of_keys

EXAMPLES = {  # put together here, so that this file holds none
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "an access key of AWS": "AKIA" + "ABCDEFGHIJKLMNOP",
    "a token of GitHub": "ghp_" + "a1B2" * 9,
    "a token of GitLab": "glpat-" + "a1B2c" * 4,
    "a token of Slack": "xoxb-" + "1234567890-abc",
    "a token of npm": "npm_" + "a1B2" * 9,
    "a token of PyPI": "pypi-" + "AgEIcHlwaS5vcmcC" + "a1B2c" * 8,
    "a token of Databricks": "dapi" + "a1b2" * 8,
    "a key of Google": "AIza" + "a1B2c" * 7,
    "a token of Hugging Face": "hf_" + "a1B2c3D4e5F6g7H8i9" + "a1B2c3D4e5F6g7H8",
    "a key of Stripe": "sk_live_" + "a1B2c3" * 4,
    "a JSON Web Token": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0" + ".a1B2c3D4e5F6",
    "a bearer token": "Authorization: Bearer " + "a1B2c3D4e5F6g7H8",
    "a password in an address": "postgresql://user:" + "hunter2@db/mlflow",
    "a key of OpenAI or Anthropic": "sk-proj-" + "a1B2c" * 5,
    "a secret by its name": "API_KEY" + ' = "a1b2c3d4e5f6g7"',
}


def test_every_pattern_has_an_example() -> None:
    assert set(EXAMPLES) == set(PATTERNS)


@pytest.mark.parametrize("what", EXAMPLES)
def test_a_key_is_named_by_its_line_and_kind(what: str) -> None:
    assert find_keys(f"first\n+x = {EXAMPLES[what]}\n") == [f"line 2: {what}"]


@pytest.mark.parametrize(
    "line",
    [
        "password: hunter2" + "hunter2",
        "API_KEY=a1b2" + "c3d4e5f6",
        "secret_key = 'a1b2" + "c3d4e5f6'",
        "note: 'password: hunter2" + "hunter2'",
        "-H 'x-api-key: a1b2" + "c3d4e5f6'",
        '"api-key": "a1b2' + 'c3d4e5f6"',
        "DefaultEndpointsProtocol=https;AccountKey=a1B2" + "c3D4e5F6==;EndpointSuffix=core.windows.net",
        "passphrase: hunter2" + "hunter2",
        "Uid=bob;Pwd=Geheim" + "12345;",
        "password='hunter" + "22'",
    ],
)
def test_a_value_is_found_by_its_name(line: str) -> None:
    assert find_keys(line) == ["line 1: a secret by its name"]


@pytest.mark.parametrize(
    "line",
    [
        "token = self._next_token(2)",
        "password: ${PASSWORD_OF_2}",
        "secret: name_of_a_setting",
        "PWD=/home/ann/project2",
        "password: required",
        "cwd=folder_number_12",
        "the bearer of this internationalisation",
        "pypi-simple-index-of-all-packages-that-there-are",
        "dapi_client_of_databricks",
    ],
)
def test_code_and_references_are_no_secrets(line: str) -> None:
    assert find_keys(line) == []


def test_the_warning_does_not_repeat_the_key() -> None:
    text = "\n".join(EXAMPLES.values())
    warning = warn_of_keys(text, "changes.patch", "which is stored with the run")
    assert warning.startswith("warning: changes.patch, which is stored with the run, has what looks like a key (line 1")
    assert "and 13 more" in warning
    assert not [key for key in EXAMPLES.values() if key in warning]
    assert warn_of_keys("nothing", "changes.patch", "") == ""


FILES = ("*.yaml", "*.lock", "*.md", "docs/*.md", "src/**/*.py", "src/**/*.jinja", "reports/**/*.csv", "reports/*.json")


def test_the_files_of_this_project_have_none() -> None:
    files = [file for pattern in FILES for file in ROOT.glob(pattern)]
    assert len(files) > 300
    assert not {str(file): found for file in files if (found := find_keys(file.read_text(encoding="utf-8")))}
