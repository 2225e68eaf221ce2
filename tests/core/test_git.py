"""The state of real repositories."""

from pathlib import Path

import pytest
from support.repositories import git as run_git

from modelyard.core import git
from modelyard.core.errors import ModelyardError


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits of one file in a project that is a folder of its repository."""
    project = tmp_path / "whole" / "project"
    project.mkdir(parents=True)
    run_git(tmp_path / "whole", "init", "-q", "-b", "main")
    for text in ("first", "second"):
        (project / "notes.txt").write_text(f"{text}\n")
        run_git(project, "add", ".")
        run_git(project, "commit", "-qm", f"The {text}")
    return project


def test_the_commit_that_is_checked_out_has_the_files_that_differ_from_it(repository: Path) -> None:
    commit = git.checked_out(repository)
    assert (commit.id, commit.subject) == (run_git(repository, "rev-parse", "HEAD"), "The second")
    assert commit.changed == ()
    (repository / "notes.txt").write_text("edited\n")
    assert [path.rpartition("/")[2] for path in git.checked_out(repository).changed] == ["notes.txt"]


def test_a_commit_without_a_message_has_no_subject(repository: Path) -> None:
    run_git(repository, "commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
    commit = git.checked_out(repository)
    assert (commit.id, commit.subject) == (run_git(repository, "rev-parse", "HEAD"), "")


def test_a_file_is_read_as_another_commit_has_it(repository: Path) -> None:
    before = git.find_commit(repository, "HEAD~1")
    assert before.subject == "The first"
    assert git.read_file(repository, before, "notes.txt") == "first\n"
    assert git.read_file(repository, before, "never.txt") is None


@pytest.mark.parametrize("revision", ["nonsense", "HEAD~7", "HEAD:./notes.txt", "--help", ""])
def test_an_unknown_commit_is_refused_with_advice(repository: Path, revision: str) -> None:
    with pytest.raises(ModelyardError, match=r"git knows no such commit\. Give a branch, a tag or a hash"):
        git.find_commit(repository, revision)


def test_outside_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git.checked_out(tmp_path) is None
    with pytest.raises(ModelyardError, match=r"nothing to compare with\. git said: fatal: not a git repository"):
        git.find_commit(tmp_path, "HEAD")


def test_a_repository_without_commits_has_none(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q")
    assert git.checked_out(tmp_path) is None


def test_where_git_is_not_installed_there_is_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git.checked_out(repository) is None


def test_changes_are_those_since_the_commit_without_excluded_paths(repository: Path) -> None:
    assert (git.changed_files(repository), git.untracked_files(repository), git.patch(repository)) == ([], [], b"")
    (repository / "notes.txt").write_text("edited\n")
    (repository / "new.txt").write_text("new\n")
    assert [path.rpartition("/")[2] for path in git.changed_files(repository)] == ["notes.txt"]
    assert git.untracked_files(repository) == ["new.txt"]
    assert b"-second\n+edited\n" in git.patch(repository)
    excluded = (".", ":!notes.txt", ":!new.txt")
    assert (git.changed_files(repository, excluded), git.untracked_files(repository, excluded)) == ([], [])
    assert git.patch(repository, excluded) == b""


def test_tracked_files_are_those_of_the_index_none_outside_git_and_a_failing_git_is_not_none(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (repository / "new.txt").write_text("new\n")
    assert git.tracked_files(repository, ["*.txt"]) == ["notes.txt"]
    assert git.tracked_files(tmp_path_factory.mktemp("outside")) == []
    Path(run_git(repository, "rev-parse", "--show-toplevel"), ".git", "index").write_bytes(b"damaged")
    with pytest.raises(ModelyardError, match="git said: "):
        git.tracked_files(repository)


def test_a_commit_is_known_by_its_hash(repository: Path) -> None:
    assert git.head(repository) == run_git(repository, "rev-parse", "HEAD")
    assert git.has_commit(repository, git.head(repository))
    assert not git.has_commit(repository, "0" * 40)


# Settings that people have, and each of which changes what git prints.
SETTINGS = """
[color]
    ui = always
    diff = always
    status = always
[core]
    quotePath = true
    pager = false
[diff]
    noprefix = true
    mnemonicPrefix = true
    external = false
    context = 0
    interHunkContext = 9
    relative = true
    renames = copies
    orderFile = /no/such/file
    submodule = log
    wsErrorHighlight = all
    suppressBlankEmpty = true
    colorMoved = zebra
[diff "shout"]
    textconv = tr a-z A-Z <
    command = false
[log]
    showSignature = true
[i18n]
    logOutputEncoding = ISO-8859-1
[status]
    showUntrackedFiles = no
    branch = true
    short = true
[alias]
    diff = status
"""
VARIABLES = {
    "GIT_EXTERNAL_DIFF": "false",
    "GIT_DIFF_OPTS": "--unified=0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_INDEX_FILE": "/no/such/index",
    "GIT_DIR": "/no/such/repository",
    "GIT_PAGER": "false",
    "LC_ALL": "de_DE.ISO-8859-1",
}
FILES = {
    "notes.txt": (b"second\n", b"edited, without an end of line"),
    "latin.txt": ("Größe\n".encode("latin-1"), "Größen\n".encode("latin-1")),
    "windows.txt": (b"one\r\ntwo\r\n", b"one\r\n2\r\n"),
    "blank.txt": (b"\n\n\na\n\n\n\n", b"\n\n\nb\n\n\n\n"),
    "binary.dat": (bytes(range(256)), bytes(reversed(range(256)))),
    "loud.shout": (b"quiet\n", b"quieter\n"),
    "grüße \t.txt": (b"a\n", b"b\n"),
    "gone.txt": (b"here\n", None),
}


@pytest.fixture
def edited(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository with edited files of every kind, and a person's settings that change git's output."""
    (repository / ".gitattributes").write_text("*.shout diff=shout\n")
    for name, (committed, _) in FILES.items():
        (repository / name).write_bytes(committed)
    run_git(repository, "add", ".")
    run_git(repository, "commit", "-qm", "Größere Änderung")
    for name, (_, now) in FILES.items():
        if now is None:
            (repository / name).unlink()
        else:
            (repository / name).write_bytes(now)
    (repository / "new é.txt").write_text("new\n")
    (tmp_path / "gitconfig").write_text(SETTINGS)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    return repository


def test_a_patch_can_be_applied_whatever_the_settings_of_git_and_the_encodings_are(
    edited: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as settings:
        for name, value in VARIABLES.items():
            settings.setenv(name, value)
        (tmp_path / "changes.patch").write_bytes(git.patch(edited, (".", ":!results")))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    elsewhere = tmp_path / "elsewhere"
    run_git(edited, "worktree", "add", "-q", str(elsewhere))
    run_git(elsewhere / git.prefix(edited), "apply", "--whitespace=nowarn", str(tmp_path / "changes.patch"))
    for name, (_, now) in FILES.items():
        file = elsewhere / "project" / name
        assert (file.read_bytes() if file.exists() else None) == now, name


def test_changes_and_the_commit_are_read_whatever_the_settings_of_git_are(
    edited: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert sorted(git.changed_files(edited)) == sorted(FILES)
    assert git.untracked_files(edited) == ["new é.txt"]
    assert set(FILES) <= set(git.tracked_files(edited))
    commit = git.checked_out(edited)
    assert (commit.id, commit.subject) == (git.head(edited), "Größere Änderung")
    assert sorted(commit.changed) == sorted([*FILES, "new é.txt"])
    assert git.read_file(edited, commit, "loud.shout") == "quiet\n"


def test_a_failing_git_is_no_clean_state(edited: Path) -> None:
    (edited / ".gitattributes").write_text("*.txt filter=absent\n")
    run_git(edited, "config", "filter.absent.clean", "no-such-program")
    run_git(edited, "config", "filter.absent.required", "true")
    for question in (git.changed_files, git.patch):
        with pytest.raises(ModelyardError, match=r"git said: .*no-such-program"):
            question(edited)


def test_where_there_is_no_commit_git_says_why(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert git.why_no_commit(repository) == ""
    outside, empty, copied = tmp_path / "outside", tmp_path / "empty", repository / "copied"
    for folder in (outside, empty, copied):
        folder.mkdir()
    run_git(empty, "init", "-q")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    reasons = {folder: git.why_no_commit(folder) for folder in (outside, empty, copied)}
    assert "not a git repository" in reasons[outside]
    assert "does not have any commits yet" in reasons[empty]
    assert reasons[copied] == f"the commit of the repository {tmp_path / 'whole'} does not contain this folder"
    assert [git.is_unexpected(reason) for reason in reasons.values()] == [False, True, True]
    assert not git.head(copied)
    monkeypatch.setenv("PATH", "")
    assert git.why_no_commit(repository) == "git cannot be run: No such file or directory"


def test_a_repository_of_another_user_is_named_as_such(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    reason = git.why_no_commit(repository)
    assert "git said: fatal: detected dubious ownership" in reason
    assert "git config --global --add safe.directory" in reason
    assert git.is_unexpected(reason)
    with pytest.raises(ModelyardError, match=r"nothing to compare with\. git said: .* dubious ownership"):
        git.find_commit(repository, "HEAD")


def test_a_new_repository_has_all_files_in_its_first_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@localhost")
    (tmp_path / "notes.txt").write_text("first\n")
    git.create(tmp_path)
    git.add_all(tmp_path)
    git.commit(tmp_path, "All files")
    assert git.checked_out(tmp_path).subject == "All files"
    assert run_git(tmp_path, "ls-files", "--with-tree=main").split() == ["notes.txt"]
    with pytest.raises(ModelyardError, match="git said: nothing, but failed with exit code 1"):
        git.commit(tmp_path, "Nothing has changed")
