"""Two searches of one study in a project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.core.errors import ModelyardError
from modelyard.tuning.search_lock import only_search

KILLED = """
import os, sys
from pathlib import Path
from modelyard.tuning.search_lock import only_search
with only_search("made_up", Path(sys.argv[1])):
    os.kill(os.getpid(), 9)
"""


def test_a_second_search_of_a_study_is_refused_and_told_to_join(tmp_path: Path) -> None:
    with only_search("made_up", tmp_path):
        with pytest.raises(ModelyardError, match=rf"is running here \(PID {os.getpid()}\).* add --join"):
            only_search("made_up", tmp_path).__enter__()
        with only_search("made_up-2", tmp_path):
            pass
    with only_search("made_up", tmp_path):
        pass


def test_a_search_that_was_killed_is_in_nobodys_way(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    with only_search("made_up", tmp_path):
        pass
