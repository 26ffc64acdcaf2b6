"""A state is exported, imported and listed without being held in memory, and the file is the same as ever."""

from __future__ import annotations

import gc
import json
import shutil
import tracemalloc
from collections import deque
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import TypeAdapter

from reconciler.ci_systems import escape_commands
from reconciler.model.directory import Group
from reconciler.model.permissions import Principals
from reconciler.model.resource import canonical_json, digest
from reconciler.model.sending import SendingRecord, SendingResult
from reconciler.plan.changes import Create
from reconciler.render.formats import OutputFormat
from reconciler.render.log import log_pieces
from reconciler.state import json_stream
from reconciler.state.base import Commit
from reconciler.state.export_file import verified
from reconciler.state.export_text import text_pieces
from reconciler.state.exported import StateExport
from reconciler.state.sql.store import open_store
from reconciler.values import replace
from tests.contract.conftest import NOON
from tests.contract.write_state import STATES
from tests.whole_states import Text, export_of, from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.state.base import StateStore


def written_at_once(export: StateExport) -> str:
    """The text of an export, by the encoders of pydantic and Python alone."""
    plain: dict[str, Any] = TypeAdapter(StateExport).dump_python(export, mode="json")
    tests = (item["last_test"] for item in plain["resources"] if item["last_test"] is not None)
    for item in (*plain["resources"], *plain["history"]):
        item["spec"] = json.loads(canonical_json(item["spec"]))
    for test in tests:
        test["facts"] = json.loads(canonical_json(test["facts"]))
    plain["digest"] = digest({name: item for name, item in plain.items() if name != "digest"})
    return escape_commands(json.dumps(plain, indent=1, ensure_ascii=False)) + "\n"


@pytest.mark.parametrize("version", sorted(path.stem for path in STATES.glob("*.db")))
def test_the_text_in_parts_equals_the_whole(version: str, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    shutil.copy(STATES / f"{version}.db", path)
    store = open_store(f"sqlite:///{path}")
    store.migrate()
    export = export_of(store)
    assert export.history
    with store.export() as whole:
        text = "".join(text_pieces(whole, tool_version="1.2.3"))
    assert text == written_at_once(replace(export, tool_version="1.2.3"))
    assert from_text(text) == export


def filled(store: StateStore) -> StateStore:
    """A store with one revision."""
    change = Create(Group(name="team", members=Principals(users=("##[group]section_start:1:x",))))
    with store.lock(holder="ada", operation="apply") as held:
        commit = Commit(
            expected_lineage="", expected_serial=0, changes=(change,), at=NOON, actor="ada",
            actor_source="test", git_commit="", tool_version="1", plan_digest="",
        )  # fmt: skip
        store.commit(commit, token=held.lease.token)
    return store


def test_a_command_of_a_ci_system_is_disarmed_as_ever(store: StateStore) -> None:
    export = export_of(filled(store))
    text = to_text(export)
    assert "##[" not in text
    assert text == written_at_once(replace(export, tool_version="1.2.3"))


def sendings(count: int) -> Iterator[SendingRecord]:
    for number in range(count):
        yield SendingRecord(
            id=f"{number:032x}", at=NOON + timedelta(seconds=number), actor="ada", actor_source="test",
            result=SendingResult.SENT, sentence="x" * 2000,
        )  # fmt: skip


def peak(work: Callable[[], object]) -> int:
    """The most octets that Python used while it worked, in addition to those before."""
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    work()
    return tracemalloc.get_traced_memory()[1] - before


def test_a_log_ten_times_as_long_takes_no_more_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "_CHUNK", 1 << 13)
    more: list[int] = []
    # Anything else that the process does only adds to it, so a second measurement decides.
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        more = grown(folder)
        if max(more) < LITTLE:
            break
    assert max(more) < LITTLE, more


LITTLE: Final = 1_000_000
"""Octets; the text alone of the rows more has two million."""


def grown(folder: Path) -> list[int]:
    """How much more an import, an export and a listing of 1,000 rows take than those of 100."""
    start = export_of(filled(open_store(f"sqlite:///{folder}/first.db")))
    found: list[tuple[int, ...]] = []
    thresholds = gc.get_threshold()
    gc.set_threshold(700, 10, 10)  # what waits to be collected is not measured
    tracemalloc.start()
    try:
        for count in (1, 100, 1000):  # the first one builds what is built once
            text = Text(to_text(replace(start, sent=tuple(sendings(count)))).encode())
            store = open_store(f"sqlite:///{folder}/{count}.db")
            works = partial(imported, store, text), partial(exported, store), partial(listed, store)
            found.append(tuple(map(peak, works)))
    finally:
        tracemalloc.stop()
        gc.set_threshold(*thresholds)
    _, few, many = found
    return [after - before for before, after in zip(few, many, strict=True)]


def imported(store: StateStore, text: Text) -> None:
    with store.lock(holder="ada", operation="state import") as held:
        store.restore(verified(text), token=held.lease.token)


def listed(store: StateStore) -> None:
    with store.each_sent(limit=10_000) as found:
        deque(log_pieces(found, OutputFormat.JSON), maxlen=0)


def exported(store: StateStore) -> None:
    with store.export() as whole:
        deque(text_pieces(whole, tool_version="1"), maxlen=0)
