from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler.config.settings import Settings
from reconciler.config.settings_file import load_settings
from reconciler.model.depth import Depth

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, text: str) -> Path:
    path = folder / "reconciler.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_setting_has_a_default() -> None:
    settings = Settings()
    assert settings.state == "sqlite:///.reconciler/state.db"
    assert settings.limits.max_delete_percent == 30
    assert settings.limits.max_update_percent == 30
    assert settings.limits.min_connectors == 10
    assert settings.allowed_hosts == ()
    assert not settings.secrets.allow_command
    assert settings.testing.concurrency == 32
    assert settings.testing.per_host == 3
    assert settings.testing.timeout_seconds == 30
    assert settings.testing.depth is Depth.ENVELOPE


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "reconciler.yaml") == (Settings(), ())


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n"])
def test_an_empty_file_is_fine(text: str, tmp_path: Path) -> None:
    assert load_settings(written(tmp_path, text)) == (Settings(), ())


def test_explicit_settings_apply_and_the_rest_keep_their_defaults(tmp_path: Path) -> None:
    text = "limits: {min_connectors: 3.0}\ntesting: {depth: tls}\nsecrets: {allow_command: true}\n"
    settings, diagnostics = load_settings(written(tmp_path, text))
    assert diagnostics == ()
    assert settings.limits.min_connectors == 3
    assert settings.limits.max_delete_percent == 30
    assert settings.testing.depth is Depth.TLS
    assert settings.secrets.allow_command


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("limits: {max_delete_percent: 101}", "schema/range"),
        ("stat: x", "schema/unknown-field"),
        ("state: {}", "schema/type"),
        ("limits:", "schema/null"),
        ("- a", "schema/type"),
        ("a: [", "yaml/syntax"),
        ("limits: {}\nlimits: {}", "yaml/duplicate-key"),
        ("1: a", "yaml/key"),
        ("{}\n---\n{}", "settings/second-document"),
        ("testing: {timeout_seconds: 0}", "schema/range"),
    ],
)
def test_errors_are_reported_and_the_defaults_apply(text: str, rule: str, tmp_path: Path) -> None:
    settings, diagnostics = load_settings(written(tmp_path, text))
    assert [item.rule for item in diagnostics] == [rule]
    assert settings == Settings()


def test_a_folder_or_a_broken_link_in_its_place_is_reported(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").symlink_to("nowhere")
    assert [item.rule for item in load_settings(tmp_path / "reconciler.yaml")[1]] == [
        "file/unreadable"
    ]
    (tmp_path / "folder").mkdir()
    assert [item.rule for item in load_settings(tmp_path / "folder")[1]] == ["file/unreadable"]


def test_the_password_of_a_database_is_neither_accepted_nor_shown(tmp_path: Path) -> None:
    url = "postgresql://reconciler:hunter2@db.example.com/mail?sslmode=verify-full"
    _, diagnostics = load_settings(written(tmp_path, f"limits: {{}}\nstate: {url}\n"))
    assert [(item.rule, item.line) for item in diagnostics] == [("settings/state-password", 2)]
    assert "hunter2" not in repr(diagnostics)
    assert "hunter2" not in repr(Settings(state=url))
    _, diagnostics = load_settings(written(tmp_path, f"state: '{url} x'\n"))
    assert "hunter2" not in repr(diagnostics)
    assert [item.rule for item in diagnostics] == ["schema/pattern"]


def test_the_password_of_the_state_is_a_reference(tmp_path: Path) -> None:
    text = "state: postgresql://writer@localhost/mail\nstate_password: env:STATE_PASSWORD\n"
    settings, diagnostics = load_settings(written(tmp_path, text))
    assert diagnostics == ()
    assert str(settings.state_password) == "env:STATE_PASSWORD"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("state_password: hunter2", "secret/plain-text"),
        ("state_password: {}", "secret/plain-text"),
        ("state_password: vault:hunter2", "secret/unknown-scheme"),
        ("state_password: command:pass show hunter2", "secret/scheme-not-allowed"),
    ],
)
def test_an_unusable_reference_for_the_state_password_is_rejected(
    text: str, rule: str, tmp_path: Path
) -> None:
    _, diagnostics = load_settings(written(tmp_path, f"{text}\n"))
    assert [(item.rule, item.line) for item in diagnostics] == [(rule, 1)]
    assert "hunter2" not in repr(diagnostics)


@pytest.mark.parametrize("mode", ["", "?sslmode=require", "?sslmode=verify-ca"])
def test_a_database_elsewhere_that_proves_nothing_is_warned_of(mode: str, tmp_path: Path) -> None:
    url = f"postgresql://writer@db.example.com/mail{mode}"
    settings, diagnostics = load_settings(written(tmp_path, f"state: {url}\n"))
    assert settings.state == url
    assert [item.rule for item in diagnostics] == ["settings/state-tls"]


@pytest.mark.parametrize(
    ("patterns", "host", "allowed"),
    [
        ((), "anything", True),
        (("mail.example.com",), "MAIL.example.com", True),
        (("mail.example.com",), "mail.example.com.", True),
        (("mail.example.com",), "imap.example.com", False),
        (("*.example.com",), "a.b.EXAMPLE.com", True),
        (("*.Example.com",), "example.com", False),
        (("*.example.com",), "example.com.evil.example", False),
        (("*.example.com",), "mailexample.com", False),
        (("*.bücher.example",), "mail.BÜCHER.example", True),
        (("a.example", "b.example"), "b.example", True),
    ],
)
def test_hosts_are_allowed_by_name_or_by_domain(
    patterns: tuple[str, ...], host: str, allowed: bool
) -> None:
    assert Settings(allowed_hosts=patterns).allows_host(host) is allowed


def test_a_file_in_an_inaccessible_folder_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, "limits: {}")
    monkeypatch.setattr(type(path), "lstat", fail)
    monkeypatch.setattr(os, "open", fail)
    assert [item.rule for item in load_settings(path)[1]] == ["file/unreadable"]
