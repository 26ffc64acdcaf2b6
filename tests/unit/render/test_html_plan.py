"""The page of a plan: it says of a secret and of a comparison what the other reports say."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from reconciler.model.secret_ref import SecretRef
from reconciler.model.setting import SettingChange
from reconciler.plan.inputs import BaseCommit
from reconciler.render.html.plan import plan_page
from reconciler.render.plan import PlanOutcome
from reconciler.values import replace
from tests.builders import connector, moved, planned, receiving, stored

if TYPE_CHECKING:
    from reconciler.plan.planner import Plan


def _plan() -> Plan:
    before = connector("payroll")
    plan = planned(
        stored(before, receiving("old")),
        moved(before, server="mail.elsewhere.example", username="payroll"),
        rules=(),
    )
    changes = (
        SettingChange("limits.max_delete_percent", "30", "default", "10", "reconciler.yaml"),
    )
    return replace(plan, settings_changes=changes)


def _text(plan: Plan) -> str:
    page = plan_page(PlanOutcome(plan=plan)).partition("<main>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_secret_that_has_other_names_and_more_places_is_shown_with_them() -> None:
    plan = _plan()
    first, *rest = plan.new_credentials
    twin = replace(first, others=3, same_as=(SecretRef.parse("env:TWIN"),))
    text = _text(replace(plan, new_credentials=(twin, *rest)))
    assert f"{first.reference}; the same secret as env:TWIN" in text
    assert f"{first.before[-1]}; 3 more" in text


def test_what_is_compared_with_the_state_says_applied() -> None:
    text = _text(_plan())
    assert "An apply would be refused, for" in text
    assert "secret of applied at would go to" in text
    assert "Settings that differ from the last apply" in text


def test_what_is_compared_with_a_commit_does_not_say_applied() -> None:
    text = _text(replace(_plan(), base=BaseCommit("main", "0" * 40)))
    assert "If main is what is applied, an apply would be refused, for" in text
    assert "secret of configured at would go to" in text
    assert "Settings that differ from main" in text
    assert "setting in main now" in text
