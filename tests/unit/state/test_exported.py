"""An export is proved before anything of it is written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import StateError
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.resource import digest
from reconciler.model.snapshot import LastTest
from reconciler.plan.changes import Change, Create, Rename
from reconciler.state.base import Commit
from reconciler.values import replace
from tests.builders import connector, group
from tests.memory_store import MemoryStore
from tests.whole_states import export_of, from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

AT = datetime(2026, 3, 1, 12, 0, 0, 123, tzinfo=UTC)


@pytest.fixture
def text() -> str:
    """The export of a state with a rename, fingerprints and a test."""
    store = MemoryStore()
    support = connector("support")
    helpdesk = replace(support, name="helpdesk")
    reference = support.references[0]
    applied: list[tuple[Change, ...]] = [
        (Create(support), Create(group("team"))),
        (Rename(support, helpdesk, ()),),
    ]
    for serial, changes in enumerate(applied):
        with store.lock(holder="ada", operation="apply") as lock:
            store.commit(
                Commit(
                    expected_lineage=store.load().lineage,
                    expected_serial=serial,
                    changes=changes,
                    at=AT,
                    actor="ada",
                    actor_source="test",
                    git_commit="c0ffee",
                    tool_version="1",
                    plan_digest="",
                    fingerprints=(("support", ((reference, Fingerprint("k", "m")),)),),
                    tests=(("helpdesk", LastTest(passed=False, at=AT, facts={"tls": "1.3"})),),
                ),
                token=lock.lease.token,
            )
    return to_text(export_of(store))


def test_what_was_exported_is_read_back(text: str) -> None:
    export = from_text(text)
    assert to_text(export).splitlines() == text.splitlines()
    (stored,) = [item for item in export.resources if item.name == "helpdesk"]
    assert stored.last_test is not None
    assert stored.last_test.at == AT
    assert [mark.mac for mark in stored.fingerprints] == ["m"]


def test_a_file_that_breaks_off_is_refused(text: str) -> None:
    for length in range(0, len(text) - 3, 97):
        with pytest.raises(StateError, match="not a complete state export"):
            from_text(text[:length])


def test_any_change_of_the_file_is_noticed(text: str) -> None:
    for old, new in (
        ("helpdesk", "h3lpdesk"),
        ("c0ffee", "c0ffe3"),
        ('"m"', '"n"'),
        ("1.3", "1.2"),
    ):
        with pytest.raises(StateError, match="changed after it was exported"):
            from_text(text.replace(old, new, 1))


@pytest.mark.parametrize("other", ["[]", "{}", "null", "3", '{"format_version": "1.0"}'])
def test_other_json_is_not_an_export(other: str) -> None:
    with pytest.raises(StateError, match="not a state export"):
        from_text(other)


def test_another_format_is_recognised(text: str) -> None:
    with pytest.raises(StateError, match=r"format 2\.0, and this release reads 1\.0"):
        from_text(text.replace('"format_version": "1.0"', '"format_version": "2.0"'))


def _drop_revision(plain: dict[str, Any]) -> None:
    del plain["revisions"][0]


def _drop_entry(plain: dict[str, Any]) -> None:
    del plain["history"][0]


def _forget_resource(plain: dict[str, Any]) -> None:
    del plain["resources"][0]


def _repeat_resource(plain: dict[str, Any]) -> None:
    plain["resources"].append(plain["resources"][0])


def _other_spec(plain: dict[str, Any]) -> None:
    plain["resources"][0]["spec"]["display_name"] = "Other"


def _unknown_reference(plain: dict[str, Any]) -> None:
    plain["resources"][0]["fingerprints"][0]["reference"] = "env:OTHER"


def _future(plain: dict[str, Any]) -> None:
    plain["resources"][0]["modified_serial"] = 9


def _tested_group(plain: dict[str, Any]) -> None:
    plain["resources"][1]["last_test"] = plain["resources"][0]["last_test"]


def _no_resource(plain: dict[str, Any]) -> None:
    plain["resources"][1]["kind"] = plain["history"][1]["kind"] = "Nonsense"


def _no_lineage(plain: dict[str, Any]) -> None:
    plain["lineage"] = ""


def _unknown_field(plain: dict[str, Any]) -> None:
    plain["password"] = "x"


def _no_moment(plain: dict[str, Any]) -> None:
    plain["revisions"][0]["at"] = "yesterday"


@pytest.mark.parametrize(
    "change",
    [_drop_revision, _drop_entry, _forget_resource, _repeat_resource, _other_spec,
     _unknown_reference, _future, _tested_group, _no_resource, _no_lineage, _unknown_field, _no_moment],
)  # fmt: skip
def test_a_contradictory_export_is_rejected_despite_a_valid_digest(
    change: Callable[[dict[str, Any]], None], text: str
) -> None:
    plain = json.loads(text)
    change(plain)
    plain["digest"] = digest({name: value for name, value in plain.items() if name != "digest"})
    with pytest.raises(StateError) as caught:
        from_text(json.dumps(plain))
    assert "changed after" not in caught.value.message
