"""Which code of the package makes the score of a trial."""

from modelyard.tuning import trial_code


def test_an_edit_of_code_changes_its_checksum_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(trial_code, "PACKAGE", tmp_path)
    monkeypatch.setattr(trial_code, "CODE", ("engine", "objective.py"))
    for name in ("engine/fit.py", "objective.py", "models/families/mlp.py", "models/families/cnn.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    checksums = trial_code.code_checksums.__wrapped__  # without the cache
    before = checksums("mlp")
    assert before.keys() == {"engine/fit.py", "objective.py", "models/families/mlp.py"}
    (tmp_path / "engine" / "fit.py").write_text("two")
    changed = dict(checksums("mlp").items() - before.items())
    assert changed.keys() == {"engine/fit.py"}
