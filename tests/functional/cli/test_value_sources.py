"""A plan says that a change comes from a template, with file and line, in every format."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home

INVALID: Final = 3
TEMPLATE: Final = """\
kind: Template
name: shop
parameters: {city: {}}
display_name: Shop ${city}
labels: [shops]
imap: {server: imap.contoso.example, port: 993, use_ssl: true, username: "${name}@contoso.example", password: env:SHOP}
"""
SHOPS: Final = """\
kind: EmailConnectors
template: shop
connectors:
  berlin: {city: Berlin}
  hamburg: {city: Hamburg}
  paris: {city: Paris}
"""


@pytest.fixture
def shops(bare: Home) -> Home:
    """A project whose table is applied, and whose template has changed since."""
    bare.write("templates.yaml", TEMPLATE)
    bare.write("shops.yaml", SHOPS)
    bare.apply_untested()
    bare.write("templates.yaml", TEMPLATE.replace("Shop $", "Store $").replace("[shops]", "[s]"))
    return bare


def test_people_read_it_once_in_every_format(shops: Home) -> None:
    for command in (("plan",), ("plan", "--format", "markdown")):
        out = shops(*command).out
        assert "3 EmailConnectors " in out
        assert "# template shop, connectors.d/templates.yaml:4, with parameter city of each" in out
    (group,) = json.loads(shops("plan", "--format", "json").out)["groups"]
    assert [item["source"]["line"] for item in group["fields"]] == [4, 5]


def test_a_saved_plan_is_the_same_from_any_folder(shops: Home) -> None:
    shops("plan", "--out", "one.json")
    shops("plan", "--out", "two.json", "-C", str(shops.folder))
    one, two = ((shops.folder / name).read_text() for name in ("one.json", "two.json"))
    assert json.loads(one)["digest"] == json.loads(two)["digest"]
    assert "templates.yaml" not in one


def test_show_says_where_stored_values_are_written(shops: Home) -> None:
    out = re.sub(" +=", " =", shops("show", "berlin", "--sources").out)
    assert "imap.port = 993  # template shop, connectors.d/templates.yaml:6" in out
    assert 'display_name = "Shop Berlin"\n' in out, "the files say another thing now"
    assert "  written   connectors.d/shops.yaml:4, template shop" in out
    document = json.loads(shops("show", "berlin", "--sources", "--format", "json").out)
    assert document["sources"]["imap.port"]["template"] == "shop"
    assert json.loads(shops("show", "berlin", "--format", "json").out)["sources"] is None


def test_show_needs_the_files_only_for_that(shops: Home) -> None:
    shops.write("shops.yaml", SHOPS.replace("  berlin: {city: Berlin}\n", ""))
    gone = shops("show", "berlin", "--sources")
    assert (gone.status, gone.err) == (
        1,
        "Error: the files do not have EmailConnector.berlin\n  An apply would delete it.\n",
    )
    shops.write("shops.yaml", "kind: [\n")
    assert shops("show", "berlin").status == 0
    assert shops("show", "berlin", "--sources").status == INVALID
