"""Signing in takes the stages that it names, whatever else a session can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import pytest

from reconciler.connection.base import SIGNED_IN, AccountSession, Skip, sign_in
from reconciler.connection.failure import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

ORDER: Final = (
    Stage.DNS,
    Stage.TCP,
    Stage.TLS,
    Stage.CAPABILITIES,
    Stage.AUTHENTICATION,
)


class Steps:
    """A session that only remembers; a stage that nobody asked for is a test's own."""

    def __init__(
        self, *more: Stage, failing: Stage | None = None, skipping: Stage | None = None
    ) -> None:
        self.taken: list[Stage] = []
        self._stages = (*ORDER, *more)
        self._failing, self._skipping = failing, skipping

    @property
    def stages(self) -> tuple[tuple[Stage, Callable[[], str]], ...]:
        return tuple((stage, lambda stage=stage: self._step(stage)) for stage in self._stages)

    def _step(self, stage: Stage) -> str:
        if stage is self._skipping:
            raise Skip("nothing to do")
        if stage is self._failing:
            raise OSError("gone")
        self.taken.append(stage)
        return ""


def signed_in(steps: Steps) -> list[Stage]:
    reached: list[Stage] = []
    sign_in(cast("AccountSession", steps), reached.append)
    return reached


def test_it_takes_its_stages_in_order() -> None:
    steps = Steps()
    assert signed_in(steps) == steps.taken == list(ORDER) == list(SIGNED_IN)


def test_a_stage_that_tests_add_does_not_run_before_every_mail() -> None:
    steps = Steps(Stage.MAILBOX, Stage.ENVELOPE, Stage.DELIVERY)
    signed_in(steps)
    assert steps.taken == list(ORDER)


def test_a_stage_with_nothing_to_do_is_passed() -> None:
    steps = Steps(skipping=Stage.TLS)
    signed_in(steps)
    assert Stage.AUTHENTICATION in steps.taken


def test_a_failure_is_raised_and_the_stage_is_known() -> None:
    reached: list[Stage] = []
    steps = Steps(failing=Stage.TLS)
    with pytest.raises(OSError, match="gone"):
        sign_in(cast("AccountSession", steps), reached.append)
    assert reached[-1] is Stage.TLS
    assert Stage.AUTHENTICATION not in steps.taken
