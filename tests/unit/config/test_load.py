from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config import load as module
from reconciler.config.documents import ParseOnce
from reconciler.config.files import decode
from reconciler.config.load import built_in_providers, load
from reconciler.config.plain_yaml import ReadOnce
from reconciler.config.settings import SecretSettings, Settings
from reconciler.model.address import Address, Kind
from reconciler.model.canonical import configuration_digest
from reconciler.model.connector import Security
from reconciler.model.provider import Provider, ServerDefaults
from reconciler.values import replace

CONNECTOR: Final = """\
kind: EmailConnector
name: {name}
imap: {{server: mail.example.com, port: 993, use_ssl: true, username: a, password: env:A}}
"""


def test_a_configuration_becomes_a_snapshot(load_text: Any) -> None:
    loaded = load_text(
        b=CONNECTOR.format(name="b"),
        a=CONNECTOR.format(name="z") + "---\nkind: Roles\nadministrators: {users: [x]}\n",
    )
    assert loaded.diagnostics == ()
    assert [item.name for item in loaded.snapshot.connectors] == ["b", "z"]
    assert loaded.snapshot.roles.administrators.users == ("x",)
    assert (loaded.files, loaded.documents) == (2, 3)


def test_an_error_leaves_no_snapshot_and_a_warning_does(load_text: Any) -> None:
    assert load_text("kind: Group\nname: A\n").snapshot is None
    loaded = load_text("kind: Group\nname: a\n")
    assert [item.rule for item in loaded.diagnostics] == ["directory/empty-group"]
    assert loaded.snapshot is not None


def test_the_document_of_each_resource_is_found_by_its_address(load_text: Any) -> None:
    loaded = load_text(
        a=CONNECTOR.format(name="a")
        + "---\nkind: Permissions\nconnector: a\nusers: {users: [x]}\n",
        b="kind: Roles\nadministrators: {users: [x]}\n---\nkind: Group\nname: g\nmembers: {users: [x]}\n",
        c="kind: GlobalSmtpPolicy\nreply_to: none\n",
    )
    assert loaded.snapshot is not None, loaded.diagnostics
    kinds = {str(address): raw.value["kind"] for address, raw in loaded.written.items()}
    assert kinds == {str(item.address): item.address.kind for item in loaded.snapshot.resources}
    assert len(loaded.written) == 5
    assert Address(Kind.GROUP, "another") not in loaded.written


def test_an_empty_folder_is_an_empty_configuration(load_text: Any) -> None:
    loaded = load_text()
    assert loaded.diagnostics == ()
    assert loaded.snapshot is not None
    assert loaded.snapshot.resources == ()


def test_files_are_shown_as_the_user_named_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "connectors.d" / "hr").mkdir(parents=True)
    (tmp_path / "connectors.d" / "hr" / "a.yaml").write_text("kind: X")
    monkeypatch.chdir(tmp_path)
    for root in ("connectors.d", "./connectors.d/", "connectors.d/../connectors.d"):
        (item,) = load(Path(root)).diagnostics
        assert item.location == f"{Path(root).as_posix()}/hr/a.yaml:1:7"
    (item,) = load(tmp_path / "connectors.d").diagnostics
    assert item.file == (tmp_path / "connectors.d" / "hr" / "a.yaml").as_posix()


def test_renames_are_pairs_of_new_and_old(load_text: Any) -> None:
    loaded = load_text(CONNECTOR.format(name="new") + "renamed_from: old\n")
    assert loaded.renames == (("new", "old"),)


def test_the_digest_stands_for_the_meaning_and_not_for_the_text(load_text: Any) -> None:
    text = CONNECTOR.format(name="a")
    plain = load_text(text)
    reordered = "# x\n" + "\n".join(reversed(text.strip().split("\n"))) + "\ndraft: false\n"
    assert load_text(reordered).digest == plain.digest
    assert load_text(a="", b=text).digest == plain.digest
    assert load_text(a=text + "renamed_from: b\n", b="").digest != plain.digest
    assert load_text(a=text.replace("env:A", "env:B")).digest != plain.digest
    assert plain.digest == configuration_digest(plain.snapshot)
    assert plain.digest.startswith("sha256:")


def test_providers_may_be_given(load_text: Any) -> None:
    server = ServerDefaults(server="imap.example.com", port=993, security=Security.IMPLICIT)
    text = "kind: EmailConnector\nname: a\nprovider: p\nimap: {username: a, password: env:A}\n"
    loaded = load_text(text, providers=(Provider(name="p", imap=server),))
    assert loaded.diagnostics == ()
    assert loaded.snapshot.connectors[0].imap.server == "imap.example.com"
    assert loaded.snapshot.providers == ()
    assert {item.rule for item in load_text(text).diagnostics} == {"name/unknown-provider"}


def test_a_users_own_provider_is_part_of_the_snapshot_and_takes_precedence(load_text: Any) -> None:
    own = (
        "kind: Provider\nname: p\nimap: {server: own.example.com, port: 993, security: implicit}\n"
    )
    text = f"{own}---\nkind: EmailConnector\nname: a\nprovider: p\nimap: {{username: a, password: env:A}}\n"
    server = ServerDefaults(server="imap.example.com", port=993, security=Security.IMPLICIT)
    loaded = load_text(text, providers=(Provider(name="p", imap=server),))
    assert [item.rule for item in loaded.diagnostics] == ["provider/overrides-built-in"]
    assert loaded.snapshot.connectors[0].imap.server == "own.example.com"
    assert [item.name for item in loaded.snapshot.providers] == ["p"]


def test_a_program_may_be_run_where_the_settings_allow_it(load_text: Any) -> None:
    text = CONNECTOR.format(name="a").replace("env:A", '"command:pass mail"')
    allowed = replace(Settings(), secrets=SecretSettings(allow_command=True))
    assert load_text(text, settings=allowed).diagnostics == ()
    assert {item.rule for item in load_text(text).diagnostics} == {"secret/scheme-not-allowed"}


def test_a_scheme_of_another_package_is_known(
    load_text: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = CONNECTOR.format(name="a").replace("env:A", "vault:mail")
    assert not load_text(text).snapshot
    monkeypatch.setattr(
        "reconciler.config.checks.references.known_schemes", lambda: ("env", "vault")
    )
    assert load_text(text).diagnostics == ()


def test_hosts_of_token_endpoints_are_checked_too(load_text: Any) -> None:
    text = """\
kind: EmailConnector
name: a
imap:
  server: mail.example.com
  port: 993
  use_ssl: true
  username: a
  oauth2: {grant: refresh_token, client_id: x, refresh_token: env:A, scopes: [x],
    token_endpoint: "https://login.example.net/token"}
"""
    limited = replace(Settings(), allowed_hosts=("*.example.com",))
    (item,) = load_text(text, settings=limited).diagnostics
    assert item.rule == "connector/host-not-allowed"
    assert "login.example.net" in item.message
    assert (item.line, item.column) == (9, 21)


def test_the_built_in_providers_are_read_once_and_valid() -> None:
    assert built_in_providers() is built_in_providers()
    assert "gmail" in {item.name for item in built_in_providers()}


def test_an_invalid_built_in_provider_is_a_bug_in_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "a.yaml").write_text("kind: Provider\nname: A\n")
    monkeypatch.setattr(module, "_PROVIDERS", tmp_path / "providers")
    with pytest.raises(RuntimeError, match=r"a\.yaml:2:7: schema/pattern"):
        built_in_providers.__wrapped__()


def test_what_is_loaded_again_is_the_same_value_and_what_differs_is_read(tmp_path: Path) -> None:
    read_as, parse_as = ReadOnce(), ParseOnce()
    text = "kind: Group\nname: {}\n---\nkind: Group\nname: other\n"
    found = []
    for name in ("one", "two", "not a name"):
        (tmp_path / "groups.yaml").write_text(text.format(name), encoding="utf-8")
        found.append(load(tmp_path, read_as=read_as, parse_as=parse_as))
        assert found[-1] == load(tmp_path)
    one, two, broken = found
    assert one.snapshot is not None
    assert two.snapshot is not None
    assert broken.snapshot is None
    assert [item.name for item in two.snapshot.groups] == ["other", "two"]
    assert one.snapshot.groups[1] is two.snapshot.groups[0]


def test_problems_are_sorted_by_place(load_text: Any) -> None:
    loaded = load_text(b="kind: X\n---\nname: a\n", a="kind: Group\nname: A\nmembers: 5\n")
    places = [(item.file, item.line, item.column) for item in loaded.diagnostics]
    assert places == sorted(places)
    assert len(places) == 4


def test_one_value_is_objected_to_once(load_text: Any) -> None:
    loaded = load_text("kind: Group\nname: !x A\n")
    assert [item.rule for item in loaded.diagnostics] == ["yaml/tag"]
    password = CONNECTOR.format(name="a").replace("env:A", "12345678901234567890")
    loaded = load_text(password)
    assert [item.rule for item in loaded.diagnostics] == ["secret/plain-text"]


@given(data=st.binary(max_size=60))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    source = module._source(decode(data, "a.yaml"), "a.yaml")
    assert source.documents or source.diagnostics


def test_unneeded_modules_are_not_imported(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CONNECTOR.format(name="a"))
    code = (
        "import sys; from pathlib import Path; from reconciler.config.load import load;"
        f"assert load(Path({str(tmp_path)!r})).snapshot;"
        "print(sorted({'jsonschema', 'sqlalchemy', 'imapclient', 'smtplib', 'click', 'difflib',"
        " 'ssl', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
