"""Attacks at random moments, none of which may break a promise of docs/reliability.md.

They are not in the default run. ``pytest tests/chaos --chaos N`` runs N of them, ``--chaos-seed S`` says which:
the attack of a seed is always the same, and N attacks take the seeds from S on. A failure prints the command
that repeats it. ``--chaos-report FILE`` writes the table of what was tried, and the outcomes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.chaos import stored
from tests.chaos.ground import Ground, Strike
from tests.chaos.invariants import broken, outcome
from tests.chaos.offices import REAL
from tests.chaos.plans import POSTGRESQL, AttackPlan, plan_of
from tests.chaos.targets import KINDS, TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.chaos.ground import Templates, Usual
    from tests.chaos.offices import Office
    from tests.servers.postgresql import Postgresql

Enter = Callable[[AttackPlan, Strike], Ground]

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask for as many attacks as the command line says."""
    first, number = metafunc.config.option.chaos_seed, metafunc.config.option.chaos
    plans = [plan_of(seed, KINDS) for seed in range(first, first + number)]
    metafunc.parametrize(
        "plan",
        [
            pytest.param(
                plan,
                id=f"{plan.seed}-{plan.target}-{plan.attack}".replace(" ", "-"),
                marks=[pytest.mark.server]
                if {POSTGRESQL, REAL} & {plan.store, plan.office}
                else [],
            )
            for plan in plans
        ],
    )


@pytest.fixture
def enter(request: pytest.FixtureRequest, templates: Templates, tmp_path: Path) -> Iterator[Enter]:
    """Prepare the place of an attack, and tidy it up at the end."""
    with ExitStack() as stack:

        def prepared(plan: AttackPlan, strike: Strike) -> Ground:
            name = "measured" if strike.plan is None else "attacked"
            server: Postgresql | None = None
            if plan.store == POSTGRESQL:
                server = request.getfixturevalue("postgresql")
            office: Office = request.getfixturevalue("real" if plan.office == REAL else "scripted")
            folder = tmp_path / name
            empty = TARGETS[plan.target].empty
            state = templates.state(plan.store, plan.office, office, server, folder, empty=empty)
            stack.callback(templates.drop, state, server)
            ground = stack.enter_context(Ground(folder, office, state, server, strike))
            ground.serial = 0 if empty else 1
            if plan.target == "state import":
                ground.origin = templates.made(plan.store, plan.office, office, server)
            return ground

        yield prepared


def test_an_attack_breaks_no_promise(
    plan: AttackPlan,
    enter: Enter,
    measured: dict[tuple[str, str, str], Usual],
    record_property: Callable[[str, object], None],
) -> None:
    target = TARGETS[plan.target]
    key = plan.target, plan.store, plan.office
    if key not in measured:
        quiet = enter(plan, Strike(None, None, target.kind.mark))
        started = time.monotonic()
        target.run(quiet)
        measured[key] = quiet.usual(time.monotonic() - started)
        assert [item.status for item in quiet.ended if item.status not in {0, 2}] == [], quiet.ended
    strike = Strike(plan, measured[key], target.kind.mark)
    ground = enter(plan, strike)
    target.run(ground)
    rows = stored.read(ground.state)
    (victim,) = (item for item in ground.ended if item.attacked)
    came = outcome(victim, ground, rows)
    found = list(broken(ground))
    record_property(
        "attack", [plan.target, plan.attack, plan.store, plan.office, came, found, plan.seed]
    )
    if found:
        said = "\n".join(
            f"--- {' '.join(item.command)} ({item.actor}): {item.status}\n{item.out}{item.err}"
            for item in ground.ended
        )
        pytest.fail(
            "\n".join((*found, f"again: {plan.again}", str(plan), str(measured[key]), said)),
            pytrace=False,
        )
