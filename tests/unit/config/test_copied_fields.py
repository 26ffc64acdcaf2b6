"""What is changed field by field is what would be written after a closer look, in the same order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config.build import build_connector
from reconciler.config.copied_fields import with_copied_fields
from reconciler.config.documents import TYPES
from reconciler.config.fitting import Wanted, Workshop, shortest
from reconciler.config.unresolve import WRITTEN_ALIKE, concise, in_full
from reconciler.config.variables import Variables
from reconciler.model.address import Kind
from reconciler.model.connector import Connector, SaveSent
from reconciler.model.connector_document import ConnectorDocument
from reconciler.model.provider import Provider
from reconciler.model.validators import Invalid, validated
from reconciler.values import replace
from tests.strategies import connectors

if TYPE_CHECKING:
    from reconciler.config.unresolve import Written

OWN: Final = Provider(name="own")
WORKSHOP: Final = Workshop(Variables(), {"own": OWN})
WRITTEN: Final[Written] = {
    "kind": "EmailConnector",
    "name": "support",
    "display_name": "Support",
    "imap": {
        "server": "imap.contoso.example",
        "port": 993,
        "use_ssl": True,
        "username": "support@contoso.example",
        "password": "env:PASSWORD",
    },
    "labels": ["hr"],
    "enable_mail_send_from": True,
    "smtp": {
        "server": "smtp.contoso.example",
        "port": 587,
        "security": "starttls",
        "email_address": "support@contoso.example",
        "use_same_credentials": True,
    },
}


def made(written: Written) -> Connector | None:
    """The connector that a document makes, if it is valid."""
    try:
        document = validated(TYPES[Kind.EMAIL_CONNECTOR], written)
    except Invalid:
        return None
    assert isinstance(document, ConnectorDocument)
    return build_connector(document, OWN if document.provider else None)


def closely(written: Written, after: Connector) -> Written | None:
    """What is written after a closer look."""
    return shortest(WORKSHOP, written, Wanted(after))


BEFORE: Final = made(WRITTEN)
VALUES: Final[dict[str, tuple[Any, ...]]] = {
    "display_name": ("support", "yes", "a: b"),
    "from_name": ("Contoso", None),
    "reply_to": ("desk@contoso.example", None),
    "timeout_seconds": (5, 0, None),
    "sent_folder": ("Sent", None),
    "labels": ((), ("hr",), ("not a label",)),
    "draft": (True, False),
    "email_address": ("other@contoso.example", None),
    "imap": (None,),
}


@st.composite
def changes(draw: st.DrawFn) -> tuple[Written, Connector, Connector]:
    """A document in some words, what it makes, and a connector that differs from it in a few fields."""
    drawn = draw(connectors("support"))
    provider = OWN if drawn.provider else None
    written = draw(st.sampled_from([concise, in_full]))(drawn, provider)
    for fields in (written, written.get("imap"), written.get("smtp")):
        if isinstance(fields, dict) and fields and draw(st.integers(0, 3)) == 0:
            fields.pop(draw(st.sampled_from(sorted(fields))))
    if draw(st.booleans()):
        head, rest = list(written.items())[:2], list(written.items())[2:]
        random.Random(draw(st.integers(0, 99))).shuffle(rest)
        written = dict([*head, *rest])
    before = made(written)
    if before is None:
        return WRITTEN, drawn, drawn
    other = draw(connectors("support"))
    alike = draw(st.lists(st.sampled_from(("display_name", "imap", *WRITTEN_ALIKE)), max_size=2))
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=2))
    changed = {name: getattr(other, name) for name in alike}
    changed |= {name: draw(st.sampled_from(VALUES[name])) for name in names}
    return written, before, replace(before, **changed)


@given(changes())
def test_a_change_is_what_a_closer_look_makes(change: tuple[Written, Connector, Connector]) -> None:
    written, before, after = change
    found = with_copied_fields(written, before, after) if made(written) == before else None
    assert found is None or repr(found) == repr(closely(written, after))


@pytest.mark.parametrize(
    "fields",
    [
        {"display_name": "Help desk"},
        {"display_name": "support"},
        {"labels": ()},
        {"labels": ("hr", "it"), "from_name": "Contoso"},
        {"draft": True, "prevent_destroy": True, "timeout_seconds": 5},
        {"save_sent": SaveSent.NEVER, "also_sends_as": ("*@shop.example",)},
    ],
)
def test_fields_that_are_copied_need_no_closer_look(fields: dict[str, Any]) -> None:
    assert BEFORE is not None
    after = replace(BEFORE, **fields)
    found = with_copied_fields(WRITTEN, BEFORE, after)
    assert found is not None
    assert repr(found) == repr(closely(WRITTEN, after))
    assert made(found) == after


@pytest.mark.parametrize(
    "fields",
    [
        {"email_address": "other@contoso.example"},
        {"files_sent_copies": True},
        {"display_name": "a ${var.x}"},
        {"display_name": "not visible: \u202e"},
        {"timeout_seconds": -1},
        {"name": "desk"},
    ],
)
def test_everything_else_does(fields: dict[str, Any]) -> None:
    assert BEFORE is not None
    assert with_copied_fields(WRITTEN, BEFORE, replace(BEFORE, **fields)) is None


@pytest.mark.parametrize(
    "written",
    [
        WRITTEN | {"client_certificate": "file:/run/c.pem", "client_key": "file:/run/k.pem"},
        WRITTEN | {"provider": "own"},
        {key: item for key, item in WRITTEN.items() if key != "enable_mail_send_from"},
        WRITTEN | {"smtp": {"server": "s.example", "port": 465, "use_ssl": True}},
        WRITTEN | {"template": "x"},
    ],
)
def test_a_document_that_may_be_written_in_other_words_needs_one_too(written: Written) -> None:
    before = made({key: item for key, item in written.items() if key != "template"})
    assert before is not None
    assert with_copied_fields(written, before, replace(before, labels=("it",))) is None
