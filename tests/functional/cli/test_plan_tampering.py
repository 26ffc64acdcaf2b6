"""A saved plan in which anything was changed is refused; what it says is never executed."""

from __future__ import annotations

import copy
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.app.plan import Planned, make_plan
from reconciler.app.project_folder import find_project
from reconciler.app.saved_plan import read_plan_file
from reconciler.app.workspace import open_workspace
from reconciler.errors import PlanStale, ReconcilerError
from reconciler.model.resource import digest
from reconciler.plan.document import to_document
from reconciler.plan.planfile import Basis, differences
from reconciler.values import replace
from tests.builders import FINGERPRINT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functional.conftest import Home
    from tests.sweeps import Some

Route = tuple[str | int, ...]


@pytest.fixture
def made(home: Home) -> Planned:
    """A plan with creates, updates, a delete, a rename and a policy change."""
    home.apply_untested()
    home.edit("support.yaml", "Support mailbox ", "Help desk ")
    home.edit("info.yaml", "name: info\n", "name: enquiries\nrenamed_from: info\n")
    home.edit("info.yaml", "connector: info\n", "connector: enquiries\n")
    home.edit("policy.yaml", "enabled: false", "enabled: true")
    home.write("more.yaml", "kind: Group\nname: more\nmembers: {users: [ada@contoso.example]}\n")
    space = open_workspace(
        find_project({}, (home.config,)),
        {"RECONCILER_FINGERPRINT_KEY": FINGERPRINT_KEY, "INFO_APP_PASSWORD": "x"},
    )
    return make_plan(space, "mail-lead@contoso.example", check_secrets=True)


@pytest.fixture
def document(made: Planned, tmp_path: Path) -> Any:
    from reconciler.app.saved_plan import write_plan_file

    write_plan_file(tmp_path / "plan.json", made.file)
    return json.loads((tmp_path / "plan.json").read_text())


def routes(value: Any, route: Route = ()) -> Iterator[Route]:
    yield route
    if isinstance(value, dict):
        for key, item in value.items():
            yield from routes(item, (*route, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from routes(item, (*route, index))


def flips(value: Any) -> Iterator[Any]:
    """Values that mean something else."""
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
            yield -1
        case str():
            yield value + "x"
            yield value[:-1] if value else "y"
        case None:
            yield "something"
        case list():
            yield [*value, *value[:1]] if value else ["new"]
            if value:
                yield value[1:]
        case dict():
            yield {**value, "unheard_of": 1}
            if value:
                yield dict(list(value.items())[1:])


def changed(document: Any, route: Route, flipped: Any) -> Any:
    if not route:
        return flipped
    other = copy.deepcopy(document)
    place = other
    for key in route[:-1]:
        place = place[key]
    place[route[-1]] = flipped
    return other


def value_at(document: Any, route: Route) -> Any:
    for key in route:
        document = document[key]
    return document


def test_every_field_that_is_changed_makes_it_refused(
    document: Any, tmp_path: Path, some: Some
) -> None:
    path = tmp_path / "plan.json"
    every = [
        (route, flipped)
        for route in routes(document)
        if route != ("seal",)
        for flipped in flips(value_at(document, route))
    ]
    assert len(every) > 500
    random.Random(1).shuffle(every)
    for route, flipped in some(every[:400]):
        path.write_text(json.dumps(changed(document, route, flipped)))
        with pytest.raises(PlanStale, match="was changed after it was written"):
            read_plan_file(path)


def test_only_an_equivalent_file_is_accepted(document: Any, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    before = read_plan_file(path)
    backwards = dict(reversed(document.items()))
    for text in (
        json.dumps(document, indent=2),
        json.dumps(backwards),
        f"  {path.read_text()}\n\n",
    ):
        path.write_text(text)
        assert read_plan_file(path) == before


def test_a_duplicate_field_is_rejected(document: Any, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"plan": {}, ' + json.dumps(document)[1:])
    with pytest.raises(ReconcilerError, match="is not a saved plan"):
        read_plan_file(path)


# The limits that a plan was approved under are the approver's decision and are not recomputed: for
# that there is the seal. Which connectors are known to work may have changed since.
FREE = (
    ("overrides",),
    ("seal",),
    ("plan", "tests"),
    ("plan", "not_ready"),
    ("digest",),
    ("format_version",),
)


def test_a_changed_file_with_a_recomputed_digest_is_rejected_at_the_apply(
    made: Planned, document: Any, tmp_path: Path, some: Some
) -> None:
    path = tmp_path / "plan.json"
    now, before = to_document(made.plan), read_plan_file(path)
    assert differences(before, made.basis, now) == ()
    every = [
        (route, flipped)
        for route in routes(document)
        for flipped in flips(value_at(document, route))
        if route and not any(route[: len(free)] == free for free in FREE)
    ]
    random.Random(2).shuffle(every)
    read = refused = 0
    tried = some(every[:400])
    for route, flipped in tried:
        forged = changed(document, route, flipped) | {"digest": "", "seal": None}
        path.write_text(json.dumps(forged | {"digest": digest(forged)}))
        try:
            file = read_plan_file(path)
        except ReconcilerError as error:
            refused += 1
            if "is not a saved plan" not in error.message:
                raise
            continue
        read += 1
        same = file.plan == before.plan and meaning(file.basis) == meaning(before.basis)
        assert same or differences(file, made.basis, now), route
    assert read > len(tried) // 2
    assert refused > len(tried) // 40


def meaning(basis: Basis) -> object:
    """What a basis says: a secret that is named twice is named."""
    return replace(basis, secrets=None), set(basis.secrets or ())
