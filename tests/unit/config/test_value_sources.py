"""A change says where its new value is written: in a template, a row, a provider, or by a variable."""

from __future__ import annotations

from typing import Any, Final

import pytest

from reconciler.config.settings import EnvironmentSettings, Settings, Variable
from reconciler.config.value_sources import sources_of, whole_source
from reconciler.model.address import Address, Kind
from reconciler.plan.diff import changes_between
from reconciler.render.human.changes import change_blocks
from reconciler.render.human.sources import made_by, source_text
from reconciler.render.terminal import PLAIN

TEMPLATES: Final = """\
kind: Template
name: shop
parameters:
  city: {}
  port: {type: integer, default: 993}
display_name: Shop ${city}
imap:
  server: imap.${var.domain}
  port: ${port}
  use_ssl: true
  username: ${name}@example.com
  password: env:SHOP_PASSWORD
permissions:
  administrators: {users: [lead@example.com]}
---
kind: Provider
name: own
imap: {server: imap.own.example, port: 993, security: implicit}
smtp: {server: smtp.own.example, port: 465, security: implicit}
"""
SHOPS: Final = """\
kind: EmailConnectors
template: shop
labels: [shops]
connectors:
  berlin: {city: Berlin}
  hamburg: {city: Hamburg, port: 143}
  "rome": {
    city: Rome
  }
---
kind: EmailConnector
name: single
template: shop
parameters:
  city: Single
imap: {security: starttls, port: 143}
---
kind: EmailConnector
name: plain
provider: own
imap: &both
  username: x@${var.domain}
  password: env:X_PASSWORD
enable_mail_send_from: true
smtp:
  <<: *both
"""
SETTINGS: Final = Settings(
    variables={"domain": Variable()},
    environments={
        "dev": EnvironmentSettings(variables={"domain": "dev.example"}),
        "prod": EnvironmentSettings(variables={"domain": "example.com"}),
    },
)


def settings(environment: str) -> dict[str, Any]:
    return {"settings": SETTINGS, "environment": environment}


def sources(loaded: Any, name: str, kind: Kind = Kind.EMAIL_CONNECTOR) -> dict[str, str]:
    assert loaded.snapshot is not None, loaded.diagnostics
    address = Address(kind, name)
    (resource,) = (item for item in loaded.snapshot.resources if item.address == address)
    found = whole_source(resource, loaded.written)
    assert found is not None
    texts = {path: source_text(item) for path, item in found.fields.items() if not item.is_plain}
    whole = made_by(found)
    return ({"": whole} if whole else {}) | {
        path: text.replace("connectors.d/", "") for path, text in texts.items()
    }


@pytest.fixture(params=["dev", "prod"])
def loaded(request: pytest.FixtureRequest, load_text: Any) -> Any:
    return load_text(templates=TEMPLATES, shops=SHOPS, **settings(request.param))


def test_a_row_names_its_template_with_the_lines_of_both(loaded: Any) -> None:
    assert sources(loaded, "hamburg") == {
        "": "connectors.d/shops.yaml:6, template shop",
        "display_name": "template shop, templates.yaml:6, with parameter city of shops.yaml:6",
        "imap.server": "template shop, templates.yaml:8, with ${var.domain}",
        "imap.port": "parameter port of shops.yaml:6",
        "imap.security": "parameter port of shops.yaml:6",
        "imap.username": "template shop, templates.yaml:11",
        "imap.password": "template shop, templates.yaml:12",
        "labels": "table, shops.yaml:3",
    }


def test_a_row_in_brackets_over_several_lines_is_found(loaded: Any) -> None:
    found = sources(loaded, "rome")
    assert found[""] == "connectors.d/shops.yaml:7, template shop"
    assert found["display_name"].endswith("with parameter city of shops.yaml:8")
    assert found["imap.port"] == "parameter port of templates.yaml:5", "the default"


def test_values_of_the_connector_itself_have_no_remark(loaded: Any) -> None:
    found = sources(loaded, "single")
    assert not {"imap.port", "imap.security", "name"} & found.keys()
    assert found["display_name"].endswith("with parameter city of shops.yaml:15")


def test_permissions_of_a_template_lead_to_it(loaded: Any) -> None:
    assert sources(loaded, "single", Kind.PERMISSIONS) == {
        "": "connectors.d/shops.yaml:12, template shop",
        "administrators.users": "template shop, templates.yaml:14",
    }
    assert sources(loaded, "berlin", Kind.PERMISSIONS)[""] == (
        "connectors.d/shops.yaml:5, template shop"
    )


def test_a_provider_of_the_project_and_a_variable_are_named(loaded: Any) -> None:
    assert sources(loaded, "plain") == {
        "imap.server": "provider own, templates.yaml:18",
        "imap.port": "provider own, templates.yaml:18",
        "imap.security": "provider own, templates.yaml:18",
        "imap.username": "shops.yaml:22, with ${var.domain}",
        "smtp.server": "provider own, templates.yaml:19",
        "smtp.port": "provider own, templates.yaml:19",
        "smtp.security": "provider own, templates.yaml:19",
        "smtp.username": "shops.yaml:22, with ${var.domain}",
        "email_address": "shops.yaml:22, with ${var.domain}",
    }


def test_a_built_in_provider_has_a_name_and_no_line(load_text: Any) -> None:
    from reconciler.config.load import built_in_providers

    text = "kind: EmailConnector\nname: a\nprovider: gmail\nimap: {username: a@gmail.com, password: env:A}\n"
    found = sources(load_text(text, providers=built_in_providers()), "a")
    assert found["imap.server"] == "provider gmail"


@pytest.mark.parametrize("form", ["crlf", "bom"])
def test_line_ends_and_a_byte_order_mark_move_no_line(load_text: Any, form: str) -> None:
    def written(text: str) -> bytes:
        data = text.encode()
        return data.replace(b"\n", b"\r\n") if form == "crlf" else b"\xef\xbb\xbf" + data

    files = {"templates": written(TEMPLATES), "shops": written(SHOPS)}
    found = sources(load_text(**files, **settings("dev")), "hamburg")
    assert found["imap.port"] == "parameter port of shops.yaml:6"
    assert found["imap.password"] == "template shop, templates.yaml:12"


def changes(load_text: Any, before: dict[str, str], after: dict[str, str]) -> tuple[Any, Any]:
    old = load_text(**before, **settings("dev"))
    new = load_text(**after, **settings("dev"))
    was = {str(item.address): item for item in old.snapshot.resources}
    now = {str(item.address): item for item in new.snapshot.resources}
    found = changes_between(was, now)
    return found, sources_of(found, new.written)


MANY: Final = "kind: EmailConnectors\ntemplate: shop\nconnectors:\n" + "".join(
    f"  shop-{number:03}: {{city: City {number}}}\n" for number in range(300)
)


def test_a_change_of_a_template_that_changes_300_connectors_is_one_to_read(load_text: Any) -> None:
    changed = TEMPLATES.replace("Shop ${city}", "Store ${city}").replace("SHOP_P", "SHOPS_P")
    found, of = changes(
        load_text,
        {"templates": TEMPLATES, "shops": MANY},
        {"templates": changed, "shops": MANY.replace("7: {city", "7: {port: 143, city")},
    )
    group, others = change_blocks(found, PLAIN, sources=of)
    assert "# 270 EmailConnectors will be updated alike" in group
    assert "template shop, connectors.d/templates.yaml:6, with parameter city of each" in group
    assert group.endswith(
        '~ imap.password = "env:SHOP_PASSWORD" -> "env:SHOPS_PASSWORD"'
        "  # template shop, connectors.d/templates.yaml:12"
    )
    assert "~ imap.port     = 993 -> 143  # parameter port of each" in others


def test_300_new_rows_name_their_template_once(load_text: Any) -> None:
    one = "kind: EmailConnectors\ntemplate: shop\nconnectors: {first: {city: First}}\n"
    found, of = changes(
        load_text,
        {"templates": TEMPLATES, "shops": one},
        {"templates": TEMPLATES, "shops": one + "---\n" + MANY},
    )
    connectors, permissions = change_blocks(found, PLAIN, sources=of)
    assert "# 300 EmailConnectors will be created alike" in connectors
    assert "+ imap.port" in connectors
    assert "# 300 Permissions will be created alike" in permissions
