"""The depths of a test: one fact in three layers that may not import each other."""

from __future__ import annotations

from reconciler.cli.commands.test import DEPTHS
from reconciler.connection.failure import Stage
from reconciler.model.depth import Depth


def test_option_setting_and_stages_agree() -> None:
    stages = tuple(stage.value for stage in Stage if stage is not Stage.DELIVERY)
    assert tuple(DEPTHS) == stages
    assert tuple(depth.value for depth in Depth) == stages
