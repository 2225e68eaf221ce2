"""Passwords in addresses: never shown, whole or in part."""

import pytest

from modelyard.core.addresses import check_credentials, mask_in, masked
from modelyard.core.errors import ModelyardError


@pytest.mark.parametrize(
    "address, shown",
    [
        ("sqlite:////home/ann/mlflow.db", "sqlite:////home/ann/mlflow.db"),
        ("./mlruns", "./mlruns"),
        ("sqlite:////ci/job@2/a@b/mlflow.db", "sqlite:////ci/job@2/a@b/mlflow.db"),
        ("sqlite+pysqlite:///job:1@2/mlflow.db", "sqlite+pysqlite:///job:1@2/mlflow.db"),
        ("file:///ci/job@2/raw.csv", "file:///ci/job@2/raw.csv"),
        ("https://example.org/job@2/raw.csv", "https://example.org/job@2/raw.csv"),
        ("https://example.org?of=ann@b", "https://example.org?of=ann@b"),
        ("https://ann:hush@example.org/job@2", "https://...@2"),
        ("postgresql://office/ann:hush@db/runs", "postgresql://...@db/runs"),
        ("https://mlflow.example.org", "https://mlflow.example.org"),
        ("https://ann:hush@mlflow.example.org:5000/path", "https://...@mlflow.example.org:5000/path"),
        ("postgresql+psycopg://ann:p@s/s#w:o%rd@db/runs", "postgresql+psycopg://...@db/runs"),
        ("postgresql://db/runs?user=ann&password=hush&sslmode=require",
         "postgresql://db/runs?user=ann&password=...&sslmode=require"),
    ],
)  # fmt: skip
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    assert masked(address) == shown


@pytest.mark.parametrize(
    "password", ["hush", "secret@word", "secret/word", "secret#word", "secret%23word", "secret:word"]
)
@pytest.mark.parametrize("text", ["{}", "invalid literal for int(): '{}'", "host '{}' of ://ann:{}@db is unknown"])
def test_no_part_of_a_password_is_left_in_a_text(password: str, text: str) -> None:
    address = f"postgresql+psycopg://ann:{password}@db/runs"
    for part in (password, password.replace("%23", "#"), "word" if "word" in password else password, address):
        found = mask_in(text.format(part, part), address)
        assert "hush" not in found
        assert "word" not in found


def test_a_text_keeps_what_is_no_secret() -> None:
    text = 'connection to "db", port 5432 failed for user "ann"; passwords are hushed; http://bob:other@host/x'
    expected = 'connection to "db", port 5432 failed for user "ann"; passwords are hushed; http://...@host/x'
    assert mask_in(text, "postgresql://ann:hush@db/runs", "sqlite:///mlflow.db", "") == expected
    text = "unable to open /ci/job:one@2/mlflow.db of job one"
    assert mask_in(text, "sqlite:////ci/job:one@2/mlflow.db") == text


@pytest.mark.parametrize(
    "address, advice",
    [
        ("postgresql+psycopg://ann:p@ss@db/runs", "Write @ as %40."),
        ("http://ann:p/s#s%@host", "Write # as %23, % as %25, / as %2F."),
    ],
)
def test_special_characters_that_a_library_would_misread_are_refused(address: str, advice: str) -> None:
    with pytest.raises(ModelyardError) as raised:
        check_credentials(address, "MLFLOW_TRACKING_URI")
    assert "the password in MLFLOW_TRACKING_URI (" in str(raised.value)
    assert str(raised.value).endswith(advice)
    assert "ann" not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg://ann:p/s#s%:?@db/runs",
        "http://ann:p%40s%2F@host:5000",
        "https://host/a/path",
        "./mlruns",
        "sqlite:////ci/job@2/a@b/mlflow.db",
        "https://host/job@2/a@b",
    ],
)
def test_other_addresses_are_accepted(address: str) -> None:
    check_credentials(address, "MLFLOW_TRACKING_URI")
