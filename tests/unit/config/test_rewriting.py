"""Files that are changed to mean what is stored: correct, as short as possible, and changed as little as possible."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from reconciler.config.load import load
from reconciler.config.plain_yaml import ReadOnce
from reconciler.config.rewriting import Rewritten, rewritten
from reconciler.config.settings import EnvironmentSettings, Settings, Variable
from reconciler.config.variables import Variables
from reconciler.model.connector import Connector
from reconciler.model.snapshot import Snapshot
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.resource import Resource

SETTINGS: Final = Settings(
    variables={"domain": Variable(), "prefix": Variable(default="LIVE")},
    environments={
        "dev": EnvironmentSettings(variables={"domain": "dev.example"}),
        "prod": EnvironmentSettings(variables={"domain": "example.com", "prefix": "P"}),
    },
)
TEMPLATES: Final = """\
# What all shops have.
kind: Template
name: shop
parameters:
  city: {}
  port: {type: integer, default: 993}   # the usual one
display_name: Shop ${city}
imap:
  server: imap.${var.domain}
  port: ${port}
  use_ssl: true
  username: ${name}@${var.domain}
  password: env:${var.prefix}_PASSWORD
permissions:
  administrators: {groups: [shops]}
---
kind: Template
name: relay
imap: &account {server: mail.example.com, port: 993, security: implicit, username: "${name}", password: env:RELAY}
enable_mail_send_from: true
smtp:
  <<: *account
  port: 587
  security: starttls
  email_address: ${name}@${var.domain}
---
kind: Group
name: shops
members: {users: [lead@example.com]}   # and no one else
"""
SHOPS: Final = """\
kind: EmailConnectors
template: shop
labels: [shops]
connectors:
  # in the north
  hamburg: {city: Hamburg, port: 143}
  berlin: {city: Berlin}   # the first
"""
OTHERS: Final = """\
# This one differs.
kind: EmailConnector
name: paris
template: shop
parameters: {city: Paris}
imap: {port: 143}   # for its old server
---
kind: EmailConnector
name: office
template: relay
---
kind: EmailConnector
name: plain
# by hand
imap:
  server: imap.${var.domain}
  port: 993
  use_ssl: true
  username: plain@${var.domain}
  password: env:PLAIN
---
kind: Permissions
connector: plain
users: {groups: [shops]}
"""
FILES: Final = {"templates.yaml": TEMPLATES, "shops.yaml": SHOPS, "others.yaml": OTHERS}


def loaded(files: Mapping[str, str], environment: str) -> Snapshot:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, name).write_bytes(text.encode())
        found = load(Path(folder), settings=SETTINGS, environment=environment)
    errors = [item for item in found.diagnostics if item.is_error]
    assert found.snapshot is not None, (errors, files)
    return found.snapshot


def rewrite(
    target: Snapshot,
    environment: str = "dev",
    files: Mapping[str, str] = FILES,
    renames: Mapping[str, str] | None = None,
) -> Rewritten:
    """Rewrite, and prove that the files then mean the target."""
    variables = Variables.of(SETTINGS, environment)
    meant = loaded(files, environment)
    done = rewritten(
        files,
        target,
        variables,
        renames=renames or {},
        header="New.",
        meant=meant,
        read_as=ReadOnce(),
    )
    assert done is not None
    assert loaded(done.texts, environment) == target, done.texts
    assert all(done.texts[name] == files[name] for name in done.kept)
    return done


def near(text: str) -> str:
    """The text with one blank before each comment: YAML's round trip keeps its column, not its distance."""
    return re.sub(" +#", " #", text)


def changed(snapshot: Snapshot, name: str, **fields: Any) -> Snapshot:
    return Snapshot.of(
        tuple(
            replace(item, **fields) if isinstance(item, Connector) and item.name == name else item
            for item in snapshot.resources
        )
    )


def without(snapshot: Snapshot, *names: str) -> Snapshot:
    kept = (item for item in snapshot.resources if item.address.name not in names)
    return Snapshot.of(tuple(kept))


NOW: Final = {environment: loaded(FILES, environment) for environment in ("dev", "prod")}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_files_that_mean_it_already_are_kept(environment: str) -> None:
    done = rewrite(NOW[environment], environment)
    assert (sorted(done.kept), done.notes) == (sorted(FILES), ())


def imap(name: str, **fields: Any) -> Any:
    found = NOW["dev"].connector(name)
    assert found is not None
    assert found.imap is not None
    return replace(found.imap, **fields)


def test_another_value_of_a_parameter_is_written_in_the_row() -> None:
    done = rewrite(changed(NOW["dev"], "berlin", display_name="Shop Bonn"))
    assert near(done.texts["shops.yaml"]) == near(SHOPS.replace("city: Berlin", "city: Bonn"))
    assert set(done.kept) == {"templates.yaml", "others.yaml"}


def test_one_field_that_differs_keeps_the_template() -> None:
    done = rewrite(changed(NOW["dev"], "berlin", sent_folder="Gesendet"))
    text = done.texts["shops.yaml"]
    assert text == SHOPS.replace("  berlin: {city: Berlin}   # the first\n", "") + (
        "---\nkind: EmailConnector\nname: berlin\ntemplate: shop\nparameters:\n  city: Berlin\n"
        "labels: [shops]\nsent_folder: Gesendet\n"
    )
    done = rewrite(changed(NOW["dev"], "paris", sent_folder="Envoyés"))
    expected = OTHERS.replace("server\n---", "server\nsent_folder: Envoyés\n---", 1)
    assert done.texts["others.yaml"] == expected
    assert done.notes == ()


def test_a_template_that_no_longer_fits_is_reported() -> None:
    done = rewrite(changed(NOW["dev"], "office", smtp=None, enable_mail_send_from=False,
                           email_address=None, use_same_credentials=False, imap=None, draft=True))  # fmt: skip
    assert done.notes == ("office no longer fits the template relay, so it is written in full",)


def test_a_removed_connector_leaves_its_row_or_document() -> None:
    done = rewrite(without(NOW["dev"], "hamburg", "office", "plain"))
    assert done.texts["shops.yaml"].endswith("  berlin: {city: Berlin}   # the first\n")
    assert "hamburg" not in done.texts["shops.yaml"]
    assert done.texts["others.yaml"] == OTHERS.split("---\n")[0]
    done = rewrite(without(NOW["dev"], "hamburg", "berlin"))
    assert "shops.yaml" not in done.texts


def test_a_restored_connector_becomes_a_row_or_a_short_document() -> None:
    shops = SHOPS.replace("  berlin: {city: Berlin}   # the first\n", "")
    done = rewrite(NOW["dev"], files={**FILES, "shops.yaml": shops})
    assert done.texts["shops.yaml"] == shops + "  berlin: {city: Berlin}\n"
    few = {name: text for name, text in FILES.items() if name == "templates.yaml"}
    done = rewrite(NOW["dev"], files=few)
    assert done.texts["office.yaml"] == (
        "# New.\nkind: EmailConnector\nname: office\ntemplate: relay\n"
    )
    assert "parameters:\n  city: Berlin" in done.texts["berlin.yaml"]
    assert "template" not in done.texts["plain.yaml"]


def test_a_variable_stays_where_its_value_does() -> None:
    done = rewrite(
        changed(NOW["prod"], "plain", imap=imap_of("prod", "plain", "office@example.com")), "prod"
    )
    assert done.texts["others.yaml"] == OTHERS.replace("plain@$", "office@$")


def imap_of(environment: str, name: str, username: str) -> Any:
    found = NOW[environment].connector(name)
    assert found is not None
    assert found.imap is not None
    return replace(found.imap, username=username)


def test_an_earlier_name_goes_back_into_the_same_document() -> None:
    now = changed(NOW["dev"], "paris", imap=imap("paris", username="lyon@dev.example"))
    connectors = [
        replace(item, name="lyon") if item.name == "paris" else item for item in now.connectors
    ]
    rights = [
        replace(item, connector="lyon") if item.connector == "paris" else item
        for item in now.permissions
    ]
    target = Snapshot.of((*now.groups, *connectors, *rights))
    done = rewrite(target, renames={"lyon": "paris"})
    first = done.texts["others.yaml"].split("---\n")[0]
    assert first == OTHERS.split("---\n")[0].replace("name: paris", "name: lyon").replace(
        "for its old server\n", "for its old server\nrenamed_from: paris\n"
    )


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_line_ends_stay(end: str) -> None:
    files = {name: text.replace("\n", end) for name, text in FILES.items()}
    done = rewrite(changed(NOW["dev"], "berlin", display_name="Shop Bonn"), files=files)
    assert near(done.texts["shops.yaml"]) == near(files["shops.yaml"].replace("Berlin", "Bonn"))


ANCHORS: Final = """\
kind: EmailConnector
name: merged
imap: &both
  server: mail.example.com
  port: 993
  use_ssl: true
  username: merged@example.com
  password: env:MERGED
enable_mail_send_from: true
smtp:
  <<: *both
  port: 465
"""


def test_a_merge_key_takes_a_field_of_its_own() -> None:
    files = {"a.yaml": ANCHORS}
    now = loaded(files, "dev")
    connector = now.connector("merged")
    assert connector is not None
    assert connector.smtp is not None
    smtp = replace(connector.smtp, server="smtp.example.com")
    done = rewrite(changed(now, "merged", smtp=smtp), files=files)
    assert "  <<: *both\n" in done.texts["a.yaml"]
    assert "server: smtp.example.com" in done.texts["a.yaml"]
    assert connector.imap is not None
    other = replace(connector.imap, server="imap.example.com")
    rewrite(changed(now, "merged", imap=other), files=files)


_TEXTS: Final = st.sampled_from(("Shop X", "Shop Berlin", "Other", "Shop é: #1", "Shop", "Shop 12"))
_PORTS: Final = st.sampled_from((993, 143, 1143))


_FATES: Final = st.sampled_from(("same", "same", "gone", "changed", "moved", "copied"))
_FIELDS: Final[st.SearchStrategy[dict[str, Any]]] = st.fixed_dictionaries(
    {},
    optional={
        "display_name": _TEXTS,
        "labels": st.sampled_from(((), ("shops",), ("a", "b"))),
        "sent_folder": st.sampled_from((None, "Sent")),
        "timeout_seconds": st.sampled_from((None, 30)),
        "prevent_destroy": st.booleans(),
    },
)


def connectors_after(draw: st.DrawFn, item: Connector) -> tuple[Connector, ...]:
    """What happened to a connector."""
    assert item.imap is not None
    match draw(_FATES):
        case "gone":
            return ()
        case "changed":
            return (replace(item, **draw(_FIELDS)),)
        case "moved":
            return (replace(item, imap=replace(item.imap, port=draw(_PORTS))),)
        case "copied":
            return (item, replace(item, name=f"{item.name}-2"))
        case _:
            return (item,)


@st.composite
def targets(draw: st.DrawFn, environment: str) -> Snapshot:
    """What may be stored: connectors that changed, that are gone, and that are new."""
    now = NOW[environment]
    found = [after for item in now.connectors for after in connectors_after(draw, item)]
    names = {item.name for item in found}
    rights = [
        replace(item, enable_b2b=draw(st.booleans()))
        for item in now.permissions
        if item.connector in names and draw(st.booleans())
    ]
    return Snapshot.of((*now.groups, *found, *rights))


@pytest.mark.parametrize("environment", ["dev", "prod"])
@hypothesis_settings(max_examples=10)
@given(data=st.data(), crlf=st.booleans())
def test_whatever_is_stored_the_files_come_to_mean_it(
    environment: str, data: st.DataObject, crlf: bool
) -> None:
    target = data.draw(targets(environment))
    files = {name: text.replace("\n", "\r\n") if crlf else text for name, text in FILES.items()}
    done = rewrite(target, environment, files)
    again = rewrite(target, environment, done.texts)
    assert sorted(again.kept) == sorted(done.texts), "a second time nothing changes"
    assert "templates.yaml" in done.kept
    shops = ("berlin", "hamburg", "berlin-2", "hamburg-2", "paris-2")
    if of(target, *shops) == of(NOW[environment], *shops):
        assert "shops.yaml" in done.kept


def of(snapshot: Snapshot, *names: str) -> list[Resource]:
    return [item for item in snapshot.resources if item.address.name in names]


PROVIDED: Final = """\
kind: Provider
name: own
imap: {server: imap.one.example, port: 993, security: implicit}
---
kind: EmailConnector
name: x
provider: own
imap:
  username: x@one.example
  password: env:X
"""


@pytest.mark.parametrize("follows", [True, False])
def test_a_changed_provider_changes_what_the_files_mean(follows: bool) -> None:
    files = {"x.yaml": PROVIDED}
    (provider,) = loaded(files, "dev").providers
    (connector,) = loaded(files, "dev").connectors
    assert provider.imap is not None
    assert connector.imap is not None
    elsewhere = replace(provider, imap=replace(provider.imap, server="imap.two.example"))
    if follows:
        connector = replace(connector, imap=replace(connector.imap, server="imap.two.example"))
    text = rewrite(Snapshot.of((elsewhere, connector)), files=files).texts["x.yaml"]
    provided = PROVIDED.replace("imap.one.example", "imap.two.example")
    own = "" if follows else "  server: imap.one.example\n"
    assert text == provided + own
