from __future__ import annotations

import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.app.actor import Actor
from reconciler.app.audit import pruning
from reconciler.errors import NotAuthorised
from reconciler.model.directory import Roles
from reconciler.model.permissions import Principals
from tests.builders import stored

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAD = "jörg@contoso.example"


class Workspace:
    """One whose state has one Administrator."""

    @contextmanager
    def writing(self) -> Iterator[Any]:
        yield self

    def load(self) -> Any:
        return stored(Roles(administrators=Principals(users=(LEAD,))))


@pytest.mark.parametrize("name", [LEAD, LEAD.upper(), unicodedata.normalize("NFD", LEAD)])
def test_an_administrator_may_prune_however_the_address_is_spelt(name: str) -> None:
    workspace: Any = Workspace()
    with pruning(workspace, Actor(name, "--actor"), "the log") as store:
        assert store is workspace


def test_nobody_else_may_prune() -> None:
    workspace: Any = Workspace()
    with (
        pytest.raises(NotAuthorised, match="may not prune the log"),
        pruning(workspace, Actor("eve@contoso.example", "--actor"), "the log"),
    ):
        pytest.fail("the block was entered")
