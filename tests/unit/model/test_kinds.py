"""Every list of kinds holds every kind: one that is added tomorrow is left out of none."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import pytest

from reconciler.config.documents import TYPES, Document
from reconciler.config.layout import files_of
from reconciler.config.load import load
from reconciler.config.schema import connectors_schema
from reconciler.model.address import Kind
from reconciler.model.resource import Resource
from reconciler.state import specs
from tests.builders import snapshot as built

if TYPE_CHECKING:
    from reconciler.model.snapshot import Snapshot

ROOT: Final = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def example() -> Snapshot:
    """The shipped example, which has resources of every kind."""
    found = load(ROOT / "connectors.d").snapshot
    assert found is not None
    assert {item.address.kind for item in found.resources} == set(Kind)
    return found


def test_every_kind_has_a_document_and_a_resource_of_its_own() -> None:
    assert set(TYPES) == set(Kind)
    assert set(TYPES.values()) == set(get_args(Document))
    assert set(specs._TYPES) == set(Kind)
    assert set(specs._TYPES.values()) == set(get_args(Resource))


def test_a_snapshot_keeps_every_kind_in_the_order_of_the_kinds(example: Snapshot) -> None:
    again = built(*reversed(example.resources))
    assert again == example
    kinds = [item.address.kind for item in example.resources]
    assert list(dict.fromkeys(kinds)) == list(Kind)


def test_the_state_reads_back_every_kind(example: Snapshot) -> None:
    for item in example.resources:
        text = specs.encode(item)
        assert specs.decode(item.address, text, specs.digest_of(text)) == item


def test_files_are_written_of_every_kind(example: Snapshot) -> None:
    written = "\n".join(files_of(example, "from a test").values())
    assert set(re.findall(r"^kind: (\w+)", written, re.MULTILINE)) == set(Kind)


def test_the_schema_and_the_page_know_every_kind() -> None:
    schema = connectors_schema()
    assert set(schema["properties"]["kind"]["enum"]) == set(Kind)
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    titles = re.findall(r"\w+", " ".join(re.findall(r"^## (.*)", page, re.MULTILINE)))
    assert set(Kind) <= set(titles)


def test_a_second_document_is_noticed_of_every_kind(example: Snapshot, tmp_path: Path) -> None:
    for copy in ("a", "b"):
        shutil.copytree(ROOT / "connectors.d", tmp_path / "connectors.d" / copy)
    found = load(tmp_path / "connectors.d").diagnostics
    told = [item.message for item in found if item.rule in {"name/duplicate", "name/second-singleton"}]  # fmt: skip
    assert len(told) == len(example.resources)
    for kind in Kind:
        assert any(str(kind) in text or kind.lower() in text for text in told), kind
