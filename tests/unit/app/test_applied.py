"""What is applied is looked for again in time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.app import applied as applied_module
from reconciler.app.applied import FRESH, AppliedState
from reconciler.plan.changes import Create
from reconciler.state.base import Commit
from tests.builders import connector
from tests.memory_store import MemoryStore

if TYPE_CHECKING:
    import pytest

    from reconciler.state.base import Revision


class FarStore(MemoryStore):
    """A state whose answers take a while: what is applied while they are on their way is not in them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.takes = 0.0

    def apply(self, name: str) -> None:
        lineage = self.load().lineage if self.revisions() else ""
        serial = len(self.revisions())
        with self.lock(holder="test", operation="apply") as lock:
            self.commit(
                Commit(
                    expected_lineage=lineage,
                    expected_serial=serial,
                    changes=(Create(connector(name)),),
                    at=datetime(2026, 3, 1, 12, tzinfo=UTC),
                    actor="test",
                    actor_source="--actor",
                    git_commit="",
                    tool_version="1",
                    plan_digest="sha256:00",
                ),
                token=lock.lease.token,
            )

    def revisions(self, *, limit: int = 50, until: int | None = None) -> tuple[Revision, ...]:
        found = super().revisions(limit=limit, until=until)
        self.now += self.takes
        return found


def test_an_answer_is_dated_by_its_request() -> None:
    store = FarStore()
    store.apply("one")
    applied = AppliedState(store, clock=lambda: store.now)
    store.takes = FRESH * 0.8
    applied.look()
    store.takes = 0.0
    store.apply("two")
    store.now += FRESH * 0.3
    applied.look()
    assert applied.serial == 2


def test_an_apply_takes_effect_well_within_a_second() -> None:
    """The rest of the second is for handing a mail over that was routed just before."""
    store = FarStore()
    store.apply("one")
    applied = AppliedState(store, clock=lambda: store.now)
    applied.look()
    store.apply("two")
    store.now += 0.5
    applied.look()
    assert applied.serial == 2


def test_a_mail_waits_for_a_pending_check_even_if_the_last_revision_is_usable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(applied_module, "PATIENCE", 60.0)
    store = FarStore()
    store.apply("one")
    asked, answer, waiting = threading.Event(), threading.Event(), threading.Event()

    def clock() -> float:
        if asked.is_set():
            waiting.set()
        return store.now

    applied = AppliedState(store, clock=clock, grace=3600.0)
    applied.look()
    store.apply("two")
    store.now += FRESH

    def slow_revisions(*, limit: int = 50, until: int | None = None) -> tuple[Revision, ...]:
        asked.set()
        assert answer.wait(60)
        return FarStore.revisions(store, limit=limit, until=until)

    monkeypatch.setattr(store, "revisions", slow_revisions)
    seen: list[int] = []
    looking = threading.Thread(target=applied.look)
    looking.start()
    assert asked.wait(60)

    def send() -> None:
        applied.look()
        seen.append(applied.serial)

    mail = threading.Thread(target=send)
    mail.start()
    assert waiting.wait(60)
    answer.set()
    looking.join(60)
    mail.join(60)
    assert seen == [2]
