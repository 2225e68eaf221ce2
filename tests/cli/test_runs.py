"""`modelyard runs` where it must refuse; what it adds is tested with `tracking.backfill`."""

import pytest
from support.commands import modelyard


@pytest.mark.usefixtures("project")
def test_with_tracking_off_there_is_nothing_to_backfill():
    result = modelyard("runs", "backfill")
    assert result.exit_code == 1
    assert "error: MODELYARD_TRACKING is off: there are no runs to backfill." in result.output
