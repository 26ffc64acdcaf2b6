"""Documents that are written out of the state: short, and the very same when they are read back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from reconciler.config.build import build_connector
from reconciler.config.compose import compose
from reconciler.config.documents import TYPES
from reconciler.config.layout import files_of
from reconciler.config.load import built_in_providers
from reconciler.config.unresolve import concise
from reconciler.config.yaml_text import yaml_text
from reconciler.errors import ReconcilerError
from reconciler.model.address import Kind
from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.connector_document import ConnectorDocument
from reconciler.model.provider import Provider
from reconciler.model.secret_ref import SecretRef
from reconciler.model.validators import validator
from reconciler.values import replace
from tests.builders import connector, permissions, snapshot, users
from tests.strategies import snapshots

if TYPE_CHECKING:
    from reconciler.model.resource import JSON, Resource
    from reconciler.model.snapshot import Snapshot

GMAIL = next(item for item in built_in_providers() if item.name == "gmail")
OWN = Provider(name="own")


def read_back(document: dict[str, JSON], provider: Provider | None) -> Resource:
    """The resource that YAML text of the document stands for."""
    composed = compose(yaml_text([document], "A header."), "x.yaml")
    assert composed.diagnostics == ()
    (raw,) = composed.documents
    assert raw.value == document
    value = validator(TYPES[Kind(str(document["kind"]))]).validate_json(json.dumps(raw.value))
    return build_connector(value, provider) if isinstance(value, ConnectorDocument) else value


@given(snapshots())
def test_every_resource_is_read_back_as_it_was(
    stored: Snapshot,
) -> None:
    for resource in stored.resources:
        provider = OWN if isinstance(resource, Connector) and resource.provider else None
        assert read_back(concise(resource, provider), provider) == resource


def test_values_from_the_provider_are_omitted() -> None:
    assert GMAIL.imap is not None
    assert GMAIL.smtp is not None
    reference = SecretRef("env", "INFO_PASSWORD")
    imap = MailServer(
        server=GMAIL.imap.server,
        port=GMAIL.imap.port,
        security=GMAIL.imap.security,
        username="info@contoso.example",
        password=reference,
    )
    smtp = replace(
        imap, server=GMAIL.smtp.server, port=GMAIL.smtp.port, security=GMAIL.smtp.security
    )
    info = Connector(
        name="info",
        display_name="info",
        provider="gmail",
        imap=imap,
        enable_mail_send_from=True,
        smtp=smtp,
        email_address="info@contoso.example",
        use_same_credentials=True,
        files_sent_copies=GMAIL.files_sent_copies,
    )
    assert concise(info, GMAIL) == {
        "kind": "EmailConnector",
        "name": "info",
        "provider": "gmail",
        "imap": {"username": "info@contoso.example", "password": "env:INFO_PASSWORD"},
        "enable_mail_send_from": True,
    }
    elsewhere = replace(info, smtp=replace(smtp, port=465, security=Security.IMPLICIT))
    written = concise(elsewhere, GMAIL)
    assert written.get("smtp", {}) == ({"port": 465, "use_ssl": True}
                                       if GMAIL.smtp.port != 465 else {})  # fmt: skip
    assert read_back(written, GMAIL) == elsewhere


def test_tls_is_written_like_the_settings_form_if_equivalent() -> None:
    odd = MailServer(server="mail.contoso.example", port=9993, security=Security.STARTTLS)
    written = concise(Connector(name="x", display_name="x", imap=odd, draft=True), None)
    assert written["imap"] == {
        "server": "mail.contoso.example", "port": 9993, "security": "starttls"}  # fmt: skip
    plain = replace(odd, port=143)
    written = concise(Connector(name="x", display_name="x", imap=plain, draft=True), None)
    assert written["imap"] == {"server": "mail.contoso.example", "port": 143, "use_ssl": True}


def test_plain_text_on_a_port_of_tls_stays_written_out() -> None:
    odd = MailServer(server="localhost", port=993, security=Security.NONE)
    written = concise(Connector(name="x", display_name="x", imap=odd, draft=True), None)
    assert written["imap"] == {"server": "localhost", "port": 993, "security": "none"}


def test_an_inexpressible_resource_is_rejected_with_a_remedy() -> None:
    changed = replace(connector("info", provider="own"), files_sent_copies=True)
    with pytest.raises(ReconcilerError, match=r"EmailConnector\.info") as caught:
        concise(changed, OWN)
    assert "reconciler plan" in caught.value.hint


ODD = (
    "yes", "No", "ON", "y", "null", "~", "true", "123", "1_000", "0o17", "017", "0x1F", "1e3", "1.5",
    "-.inf", ".nan", "2026-11-25", "2026-11-25T06:00:00Z", "12:30:45", "a: b", "a #b", "# a", "- a",
    "? a", "[a]", "{a}", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a`", "'a'", '"a"', "a\\b", "=",
    "<<", "---", "...", "a:", ":a", "a b", "a  b", "Straße", "郵便箱", "📬", "👨\u200d👩\u200d👧",
    "e\u0301", "env:NAME", "x" * 200, ("word " * 40).strip(),
)  # fmt: skip


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("version", [(1, 1), (1, 2)])
def test_text_stays_text_to_readers_of_any_version_of_yaml(
    text: str, version: tuple[int, int]
) -> None:
    written = yaml_text([{"kind": "X", "text": text, "list": [text, text]}], "")
    reader = YAML(typ="safe", pure=True)
    reader.version = version
    assert reader.load(written) == {"kind": "X", "text": text, "list": [text, text]}


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf")), min_size=1))
def test_any_text_of_a_document_is_read_back(text: str) -> None:
    (raw,) = compose(yaml_text([{"kind": "X", "text": [text]}], "h"), "x.yaml").documents
    assert raw.value == {"kind": "X", "text": [text]}


def test_a_connector_shares_its_file_with_its_permissions_and_with_nothing_else() -> None:
    files = files_of(
        snapshot(
            connector("support"), permissions("support", users=users("ada")), connector("groups")
        ),
        "Whence.",
    )
    assert list(files) == ["groups.connector.yaml", "support.yaml"]
    assert files["support.yaml"].count("kind:") == 2
    assert all(text.startswith("# Whence.\nkind: EmailConnector\n") for text in files.values())
