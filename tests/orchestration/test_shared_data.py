"""Files and folders between two checkouts, through a remote."""

import shutil
from pathlib import Path

import pytest
from support.pipelines import init_dvc

from modelyard.core.errors import ModelyardError
from modelyard.orchestration import shared_data


@pytest.fixture
def checkouts(tmp_path: Path) -> tuple[Path, Path]:
    """Two projects with one remote; the first has a folder and a file."""
    roots = tmp_path / "mine", tmp_path / "theirs"
    for root in roots:
        root.mkdir()
        init_dvc(root)
        remote = f"['remote \"team\"']\n    url = {tmp_path}/remote\n"
        (root / ".dvc" / "config").write_text(f"[core]\n    no_scm = True\n    remote = team\n{remote}")
    (roots[0] / "data" / "more").mkdir(parents=True)
    (roots[0] / "data" / "a").write_text("1")
    (roots[0] / "data" / "more" / "b").write_text("2")
    (roots[0] / "metrics.json").write_text("{}")
    return roots


def test_what_one_sends_another_receives_also_in_the_place_of_something_else(checkouts: tuple[Path, Path]):
    mine, theirs = checkouts
    assert shared_data.has_remote(mine)
    hashes = shared_data.send(mine, ["data", "metrics.json"])
    (theirs / "data").mkdir()
    (theirs / "data" / "old").write_text("x")
    shared_data.receive(theirs, hashes)
    files = {file.relative_to(theirs / "data").as_posix(): file.read_text() for file in (theirs / "data").rglob("?*")
             if file.is_file()}  # fmt: skip
    assert files == {"a": "1", "more/b": "2"}
    assert (theirs / "metrics.json").read_text() == "{}"
    assert shared_data.send(theirs, ["data", "metrics.json"]) == hashes


def test_md5s_are_of_what_is_there(checkouts: tuple[Path, Path]):
    mine, _ = checkouts
    assert shared_data.md5s(mine, ["data", "metrics.json", "gone"]) == shared_data.send(mine, ["data", "metrics.json"])


def test_stamps_differ_after_a_file_was_written_replaced_added_or_removed(checkouts: tuple[Path, Path]):
    mine, _ = checkouts

    def look() -> shared_data.Stamps:
        return shared_data.stamps(mine, ["data", "metrics.json", "gone"])

    seen = [look()]
    assert look() == seen[0]
    (mine / "data" / "more" / "c").write_text("3")
    seen.append(look())
    (mine / "data" / "a").write_text("22")
    seen.append(look())
    shutil.copy2(mine / "data" / "a", mine / "new")
    (mine / "new").replace(mine / "data" / "a")
    seen.append(look())
    (mine / "metrics.json").unlink()
    seen.append(look())
    assert all(seen.count(each) == 1 for each in seen)


@pytest.mark.parametrize("value", ["0" * 32, "0" * 32 + ".dir"])
def test_what_the_remote_does_not_have_is_one_line(checkouts: tuple[Path, Path], value: str):
    with pytest.raises(ModelyardError, match="the DVC remote") as raised:
        shared_data.receive(checkouts[1], {"data": value})
    assert "\n" not in str(raised.value)


def test_a_remote_that_cannot_be_written_is_an_error(checkouts: tuple[Path, Path]):
    (checkouts[0].parent / "remote").write_text("a file")
    with pytest.raises((ModelyardError, OSError)):
        shared_data.send(checkouts[0], ["data"])


def test_without_a_remote_there_is_none(checkouts: tuple[Path, Path]):
    (checkouts[0] / ".dvc" / "config").write_text("[core]\n    no_scm = True\n")
    assert not shared_data.has_remote(checkouts[0])
    with pytest.raises(ModelyardError, match="the DVC remote cannot be used: config file error: no remote"):
        shared_data.send(checkouts[0], ["data"])
