"""A real rebuild, killed at random moments."""

import pytest
from support.killed_rebuilds import KilledRebuilds

pytestmark = pytest.mark.slow


def test_killed_rebuilds_leave_no_process_and_complete_with_the_bytes_of_an_undisturbed_one(tmp_path):
    rebuilds = KilledRebuilds(tmp_path, ["xor_mlp"], seed=0)
    for _ in range(2):
        rebuilds.kill_one()
    assert "FINISHED" in rebuilds.check_tracking()
