"""Specifications on their way in and out."""

from __future__ import annotations

import pytest

from reconciler.errors import StateCorrupt
from reconciler.model.address import Address, Kind
from reconciler.model.connector import Connector
from reconciler.model.directory import Group
from reconciler.model.resource import digest, spec_of
from reconciler.state import specs

TEAM = Address(Kind.GROUP, "team")


def test_the_digest_of_the_text_is_that_of_the_value() -> None:
    group = Group(name="büro")
    assert specs.digest_of(specs.encode(group)) == digest(spec_of(group))


def test_encoding_and_decoding_gives_the_same_resource() -> None:
    connector = Connector(name="support", display_name="Support ✉", labels=("a", "b"))
    text = specs.encode(connector)
    assert specs.decode(connector.address, text, specs.digest_of(text)) == connector


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"name":"team","members":{"users":[1]}}', r"members\.users\.0"),
        ('{"name":"team","surprise":"hunter2"}', "surprise"),
        ('{"name":"other"}', "Group.other"),
    ],
)
def test_an_unparsable_specification_names_its_address(text: str, why: str) -> None:
    with pytest.raises(StateCorrupt, match=why) as caught:
        specs.decode(TEAM, text, specs.digest_of(text))
    assert "Group.team" in caught.value.message
    assert "hunter2" not in caught.value.message
    assert caught.value.__cause__ is None
    assert caught.value.hint


def test_a_text_that_was_tampered_with_is_found() -> None:
    with pytest.raises(StateCorrupt, match=r"Group\.team does not match its digest"):
        specs.decode(TEAM, '{"name":"team"}', specs.digest_of('{"name":"team" }'))


def test_what_was_read_before_is_the_same_value_if_its_text_is_the_same() -> None:
    team, other = Group(name="team"), Group(name="other")
    texts = {item: specs.encode(item) for item in (team, other)}
    first = specs.Specifications()
    read = {
        item: first.decode(item.address, text, specs.digest_of(text), None)
        for item, text in texts.items()
    }
    assert read == {team: team, other: other}
    second = specs.Specifications(first.found)
    again = second.decode(TEAM, texts[team], specs.digest_of(texts[team]), None)
    assert again is read[team]
    assert second.found == {specs.digest_of(texts[team]): team}


def test_what_was_read_before_hides_neither_another_text_nor_another_address() -> None:
    team = Group(name="team")
    text = specs.encode(team)
    mark = specs.digest_of(text)
    again = specs.Specifications({mark: team})
    with pytest.raises(StateCorrupt, match=r"Group\.team does not match its digest"):
        again.decode(TEAM, text.replace("team", "tame"), mark, None)
    with pytest.raises(StateCorrupt, match=r"stored as Group\.tame is Group\.team"):
        again.decode(Address(Kind.GROUP, "tame"), text, mark, None)
    assert not again.found


def test_what_was_read_before_is_the_same_value_in_the_past_too() -> None:
    team = Group(name="team")
    text = specs.encode(team)
    past = specs.Specifications({specs.digest_of(text): team})
    assert past.read(TEAM, text, None) is team
    assert past.read(TEAM, '{"name":"team"}', None) == Group(name="team")
    with pytest.raises(StateCorrupt, match=r"stored as Group\.tame is Group\.team"):
        past.read(Address(Kind.GROUP, "tame"), text, None)


def test_an_unknown_kind_is_corrupt() -> None:
    with pytest.raises(StateCorrupt, match=r"Teapot\.short"):
        specs.address_of("Teapot", "short")
