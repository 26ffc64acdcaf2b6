"""A command imports nothing that it does not use: start-up time depends on imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.cli.exit_codes import SendmailCode
from reconciler.cli.main import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import Home

PROGRAM: Final = """
import contextlib, io, json, os, sys
from reconciler.cli.main import main
for line in sys.stdin:
    arguments, folder, environ, given = json.loads(line)
    if os.fork():
        os.wait()
        continue
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.stdin = open(given, encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = main(arguments)
    print(json.dumps([int(status), sorted(sys.modules)]), flush=True)
    os._exit(0)
"""
"""Has loaded what every command needs, and forks for each that it reads."""

SANDBOX: Final = {"pymap", "aiosmtpd", "trustme", "cryptography"}
MAIL: Final = {"imapclient", "imaplib", "smtplib", "authlib", "joserfc", "requests"}
STATE: Final = {"sqlalchemy", "sqlite3", "psycopg", "asyncio", "ssl"}  # SQLAlchemy loads both
VALIDATORS: Final = {
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "importlib.metadata",
}
"""Pydantic and what it brings: only for what the reader refuses, and for more documents than a few."""
HEAVY: Final = SANDBOX | MAIL | STATE | {"alembic", "jsonschema", "keyring", "hypothesis"}


RELAY: Final = """
kind: EmailConnector
name: relay
enable_mail_send_from: true
smtp: {server: 127.0.0.1, port: 9, security: none, sign_in: none, email_address: relay@contoso.example}
save_sent: never
"""
"""Where nobody answers."""


Loaded = Callable[..., set[str]]


@pytest.fixture(scope="module")
def program() -> Iterator[subprocess.Popen[str]]:
    environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
    assert process.returncode == 0


@pytest.fixture
def loaded(program: subprocess.Popen[str], tmp_path: Path) -> Loaded:
    """The modules that a command has loaded when it is done; ``given`` is its standard input."""

    def run(
        home: Home, *arguments: str, status: int = 0, given: bytes = b"", **environ: str
    ) -> set[str]:
        stdin = tmp_path / "stdin"
        stdin.write_bytes(given)
        assert program.stdin is not None
        assert program.stdout is not None
        request = [arguments, str(home.folder), home.untraced | environ, str(stdin)]
        print(json.dumps(request), file=program.stdin, flush=True)
        ended, modules = json.loads(program.stdout.readline())
        assert ended == status
        return set(modules)

    return run


def test_help_loads_no_command_and_no_pydantic(home: Home, loaded: Loaded) -> None:
    modules = loaded(home, "--help")
    assert modules & (HEAVY | {"pydantic", "ruamel", "ruamel.yaml"}) == set()
    assert {name for name in modules if name.startswith("reconciler.")} == {
        "reconciler.ci_systems",
        "reconciler.cli",
        "reconciler.cli.arguments",
        "reconciler.cli.closing",
        "reconciler.cli.command",
        "reconciler.cli.exit_codes",
        "reconciler.cli.main",
        "reconciler.cli.streams",
        "reconciler.cli.working_folder",
        "reconciler.debts",
        "reconciler.errors",
        "reconciler.signals",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_loads_no_other(command: str, home: Home, loaded: Loaded) -> None:
    modules = loaded(home, command, "--help")
    assert modules & (HEAVY | {"pydantic", "ruamel", "ruamel.yaml"}) == set()


def test_validate_reads_files_and_nothing_else(home: Home, loaded: Loaded) -> None:
    assert loaded(home, "validate") & (HEAVY | VALIDATORS) == set()


@pytest.mark.parametrize(
    "command",
    [
        ("plan",),
        ("status",),
        ("show", "support"),
        ("route", "--from", "info@contoso.example", "--as", "joan@contoso.example"),
    ],
)
def test_reading_the_newest_revision_of_a_file_needs_only_the_driver(
    command: tuple[str, ...], home: Home, loaded: Loaded
) -> None:
    home.apply_untested()
    assert loaded(home, *command) & (HEAVY | VALIDATORS) == {"sqlite3"}


def test_an_apply_to_a_file_needs_only_the_driver(home: Home, loaded: Loaded) -> None:
    apply = ("apply", "--auto-approve", "--skip-tests", "no servers here")
    allowed = {"RECONCILER_ALLOW_CREDENTIAL": "*"}
    assert loaded(home, *apply, **allowed) & (HEAVY | VALIDATORS) == {"sqlite3"}
    home.write("labels.yaml", "kind: Group\nname: new\n")
    assert loaded(home, *apply, **allowed) & (HEAVY | VALIDATORS) == {"sqlite3"}
    assert home("history").out.count("no servers here") == 2


def test_a_first_apply_parses_no_file_for_its_lines_and_loads_no_report(
    home: Home, loaded: Loaded
) -> None:
    apply = ("apply", "--auto-approve", "--skip-tests", "no servers here")
    modules = loaded(home, *apply, RECONCILER_ALLOW_CREDENTIAL="*")
    assert modules & {"ruamel.yaml", "reconciler.render.report", "reconciler.probe.report"} == set()


@pytest.mark.parametrize(
    "command",
    [("rollback", "1", "--out", "then"), ("import", "--out", "now"), ("diff", "0", "1")],
)
def test_what_a_file_holds_of_a_revision_is_read_by_the_driver(
    command: tuple[str, ...], home: Home, loaded: Loaded
) -> None:
    home.apply_untested()
    assert "sqlalchemy" not in loaded(home, *command)


def test_pydantic_decides_about_values_that_the_reader_rejects(home: Home, loaded: Loaded) -> None:
    home.write("labels.yaml", "kind: Group\nname: 1\n")
    assert loaded(home, "validate", status=3) >= {"pydantic", "jsonschema"}


def test_reading_the_state_loads_no_yaml_and_no_network(home: Home, loaded: Loaded) -> None:
    home.apply_untested()
    for command in (
        ("status",),
        ("show", "support"),
        ("history",),
        ("diff", "0"),
        ("log",),
        ("state", "lock"),
    ):
        modules = loaded(home, *command)
        assert modules & (HEAVY - STATE) == set(), command


def test_a_plan_loads_no_report_that_is_not_written_and_no_live_test(
    home: Home, loaded: Loaded
) -> None:
    home.apply_untested()
    reports = {"reconciler.render.junit", "reconciler.render.sarif", "reconciler.render.gitlab"}
    documents = {"reconciler.plan.document", "reconciler.plan.planfile", "reconciler.probe.report"}
    tests = {"reconciler.mail.dial", "reconciler.probe.result", "reconciler.cli.progress"}
    changes = {"reconciler.config.value_sources", "reconciler.render.human.changes"}
    library = {"xml.etree.ElementTree", "html", "difflib", "tempfile", "shutil", "secrets"}
    alike = {"reconciler.plan.alike", "reconciler.plan.alike_uses", "reconciler.plan.value_source"}
    unwritten = {"reconciler.config.templates", "reconciler.config.template_use"}
    elsewhere = {"reconciler.model.state_url", "reconciler.routing.request"}
    unused = reports | documents | tests | changes | alike | unwritten | elsewhere | library
    unused |= {"importlib.resources"}
    assert loaded(home, "plan") & unused == set()


UNREAD: Final = {"reconciler.config.load", "reconciler.plan.planner", "reconciler.state.base"}
"""What reads files, plans and writes: nothing for a command that shows what is stored."""


@pytest.mark.parametrize(
    "command",
    [("status",), ("route", "--from", "info@contoso.example", "--as", "joan@contoso.example")],
)
def test_showing_the_state_loads_neither_files_nor_planner(
    command: tuple[str, ...], home: Home, loaded: Loaded
) -> None:
    home.apply_untested()
    assert loaded(home, *command) & UNREAD == set()


def test_sendmail_loads_no_database_no_yaml_and_nothing_to_read_mail_with(
    home: Home, loaded: Loaded
) -> None:
    home.write("relay.yaml", RELAY)
    home.apply_untested()
    mail = b"From: relay@contoso.example\nTo: ada@x.example\n\nHello.\n"
    modules = loaded(
        home,
        "sendmail",
        "-t",
        status=SendmailCode.TEMPORARY,
        given=mail,
        RECONCILER_ACTOR="joan@contoso.example",
    )
    assert "smtplib" in modules
    unused = (HEAVY - {"smtplib", "ssl", "sqlite3"}) | VALIDATORS | UNREAD
    assert modules & unused == set()


def test_a_route_of_the_files_needs_no_state(home: Home, loaded: Loaded) -> None:
    asked = ("route", "--from", "info@contoso.example", "--as", "joan@contoso.example")
    assert loaded(home, *asked, "--config") & HEAVY == set()


def test_an_apply_with_nothing_to_do_loads_nothing_to_test_with(home: Home, loaded: Loaded) -> None:
    home.apply_untested()
    nothing_to_test = ("apply", "--skip-tests", "no servers here")
    unused = SANDBOX | {"imapclient", "smtplib", "jsonschema", "alembic", "authlib", "joserfc"}
    unused |= {"pydantic", "xml.etree.ElementTree", "reconciler.render.sarif"}
    assert loaded(home, *nothing_to_test) & unused == set()


def test_a_live_test_needs_no_state_and_no_sandbox(live: Home, loaded: Loaded) -> None:
    modules = loaded(live, "test", "info")
    assert modules & (SANDBOX | {"sqlalchemy", "sqlite3"} | {"alembic", "jsonschema"}) == set()
    assert {"imapclient", "smtplib"} <= modules
    assert modules & {"authlib", "joserfc"} == set(), "what it signs in with is a password"
    assert "authlib" in loaded(live, "test", "support")


def test_schemas_are_made_without_reading_anything(home: Home, loaded: Loaded) -> None:
    assert loaded(home, "schema", "connectors") & (HEAVY - {"jsonschema"}) == set()
