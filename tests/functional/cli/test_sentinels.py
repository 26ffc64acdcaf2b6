"""No command leaks any part of a secret: not into its output, a file, the state, or a process's arguments."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import threading
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import click
import pytest
import trustme

from reconciler import Mailer, Message
from reconciler.back_off import BackOff
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.main import cli
from reconciler.errors import ReconcilerError
from reconciler.sending import sent_copy
from tests.echoes import COVERED, NOT_COVERED
from tests.functional.cli.echoing import LOGIN_HOST, MAIL_HOST, EchoingServers, Mood
from tests.functional.conftest import Home
from tests.sentinels import (
    BYSTANDERS,
    FINGERPRINT_KEY,
    PASSWORDS,
    SENTINELS,
    TOKENS,
    in_files,
    in_rows,
    leaks,
    run_of,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.functional.conftest import Done

ACCOUNT: Final = """\
kind: EmailConnector
name: {name}
display_name: Desk {name}
save_sent: always
sent_folder: Sent
enable_mail_send_from: true
imap:
  server: {host}
  port: 993
  use_ssl: true
  username: {name}@contoso.example
  {credential}
smtp:
  server: {host}
  port: 465
  use_ssl: true
  email_address: {name}@contoso.example
  use_same_credentials: true
---
"""
OAUTH: Final = (
    "oauth2: {{grant: {grant}, client_id: app, token_endpoint: 'https://{host}/contoso.example/oauth2/v2.0/token',"
    " scopes: [mail], {references}}}"
)
ROLES: Final = "kind: Roles\nadministrators: {users: [mail-lead@contoso.example]}\n"
SETTINGS: Final = (
    "secrets: {allow_command: true}\ntesting: {retries: 0, timeout_seconds: 10, per_host: 64}\n"
)
MAIL: Final = "From: by-env@contoso.example\nTo: {to}\nSubject: Hi\n\nHello\n"
SEND: Final = ("send", "--to", "ada@example.com", "--subject", "Hi", "--text", "Hello")

SEND_BY_COMMAND: Final = (*SEND, "--connector", "by-command")

RUNS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "init": (("--config", "new"), ("ada@gmail.com", "--config", "fresh", "--no-discover")),
    "add": (("ada@gmail.com", "--dry-run"), ("bob@x.example", "--imap", "x.example", "--dry-run")),
    "validate": ((), ("--format", "json"), ("--format", "github"),
                 ("--report", "sarif=v.sarif", "--report", "gitlab=v.gitlab", "--report", "junit=v.xml")),
    "fmt": ((), ("--check", "--report", "markdown=fmt.md")),
    "rename": (("by-env", "by-variable", "--dry-run"),),
    "plan": (
        ("--check-secrets", "--out", "plan.json", "--report", "markdown=plan.md"),
        ("--test", "--format", "json", "--report", "json=tested.json"),
        ("--format", "markdown"),
        ("--base", "HEAD"),
    ),
    "test": (
        ("--format", "json", "--report", "json=test.json", "--report", "junit=test.xml"),
        ("--depth", "authentication", "--shard", "1/1", "--report", "json=shard.json"),
        ("--send-test-mail", "--format", "junit", "--timeout", "3s"),
    ),
    "test merge": (("shard.json", "--report", "junit=merged.xml"),),
    "login": (("by-refresh-token", "--replace"),),
    "doctor": tuple((name, "--report", f"json=doctor-{name}.json") for name in PASSWORDS),
    "apply": (
        ("--auto-approve", "--report", "json=apply.json", "--report", "junit=apply.xml", "--report", "github=apply.txt"),
        ("--auto-approve", "--keep-going", "--report", "markdown=apply.md"),
    ),
    "status": ((), ("--format", "json")),
    "drift": ((), ("--format", "json", "--report", "markdown=drift.md")),
    "show": (("by-env",), ("by-client-secret", "--format", "json"), ("by-env", "--sources"), ("plan.json",)),
    "history": ((), ("--format", "json"), ("--verify",)),
    "history show": (("1",),),
    "history attempts": ((), ("--format", "json")),
    "diff": (("0", "1"),),
    "export": tuple((name,) for name in PASSWORDS),
    "rollback": (("1", "--out", "back"),),
    "import": (("--out", "written"), ()),
    "sendmail": (("-t", "-i", "-v"), ("-i", "-f", "by-file@contoso.example", "ada@example.com")),
    "send": (
        *((*SEND[1:], "--connector", name) for name in PASSWORDS),
        (*SEND[1:], "--format", "json", "--from", "by-env@contoso.example"),
    ),
    "log": ((), ("--format", "json")),
    "route": (("--from", "by-env@contoso.example", "--as", "ada@contoso.example"),),
    "explain": (("smtp.password",), ("gmail", "--format", "json")),
    "settings": ((), ("--format", "json")),
    "schema": (("plan",),),
    "state adopt": (("--yes",),),
    "state export": (("--out", "state.json"), ()),
    "state forget": (("EmailConnector.none",),),
    "state key": ((),),
    "state import": (("state.json",),),
    "state lock": ((),),
    "state check": ((),),
    "state migrate": ((),),
    "state unlock": (("0" * 32, "--yes"),),
    "gateway": (("--plain", "127.0.0.1:0", "--status", "203.0.113.9:9"),),  # nobody's address: it ends
    "sandbox": (("--config", "desk", "--", "true"), ("--", "true")),
}  # fmt: skip
"""How each command is run. A new command has to be added here, or a test fails."""

WITHOUT_WORK: Final = frozenset({"gateway", "state forget", "state import", "state unlock"})
"""Commands that find nothing to do here, and say so."""


def commands() -> set[str]:
    """Every command and subcommand of the command line."""

    def below(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
        group = isinstance(command, click.Group)
        if path and (not group or not command.no_args_is_help):
            yield " ".join(path)
        if isinstance(command, click.Group):
            context = click.Context(command, **command.context_settings)
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                yield from below(found, (*path, name))

    return set(below(cli, ()))


@dataclass(slots=True)
class World:
    """Accounts with a sentinel in every place, their servers, and everything that was started."""

    home: Home
    servers: EchoingServers
    started: list[str] = field(default_factory=list)
    seen: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def run(self, command: str, *arguments: str, **environ: str) -> Done:
        """Run a command, and find nothing of a sentinel in anything that it leaves."""
        to = "ada@example.com"
        stdin = io.TextIOWrapper(io.BytesIO(MAIL.format(to=to).encode()))
        with mock.patch.object(sys, "stdin", stdin), watching(self.started):
            done = self.home(*command.split(), *arguments, **environ)
        self.check(f"{command} {' '.join(arguments)} while it {self.servers.mood}", done.said)
        return done

    def check(self, what: str, said: str) -> None:
        """Find nothing of a sentinel in a text, a file, a row of the state, or a process's arguments."""
        assert "Traceback" not in said, said
        texts = [("output", said), *in_files(self.home.folder, self.seen)]
        if self.home.state.exists():
            texts += in_rows(self.home.state)
        texts += [("arguments of a process", line) for line in self.started]
        found = {f"{place}: {leak}" for place, text in texts for leak in leaks(text)}
        assert not found, f"{what}: {sorted(found)}\n{said}"


@contextlib.contextmanager
def watching(started: list[str]) -> Iterator[None]:
    """Note the arguments of every process that is started meanwhile."""
    _WATCHERS.append(started)
    try:
        yield
    finally:
        _WATCHERS.remove(started)


_WATCHERS: list[list[str]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _WATCHERS and event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"):
        for started in _WATCHERS:
            started.append(repr(arguments[:2]))  # without the environment


sys.addaudithook(_audit)


@pytest.fixture(scope="module")
def authority() -> tuple[trustme.CA, ssl.SSLContext]:
    import ssl

    made = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert(MAIL_HOST, LOGIN_HOST).configure_cert(context)
    return made, context


@pytest.fixture
def world(
    tmp_path: Path,
    authority: tuple[trustme.CA, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """The accounts, applied while their servers worked."""
    monkeypatch.setattr(sent_copy, "_LOOKS", BackOff(first=0.01, longest=0.01, tries=2))
    library = ModuleType("keyring")
    library.get_password = lambda service, user: PASSWORDS[user]  # type: ignore[attr-defined]  # it is made here
    monkeypatch.setitem(sys.modules, "keyring", library)
    outside = tmp_path / "secrets"
    outside.mkdir()
    for name in ("by-file", "by-refresh-token", "by-command"):
        (outside / name).write_text(f"{PASSWORDS[name]}\n", encoding="utf-8")
        (outside / name).chmod(0o600)
    (outside / "ca.pem").write_bytes(authority[0].cert_pem.bytes())
    program = outside / "print-secret"
    program.write_text(f"#!/bin/sh\nsleep 0.1\nexec cat {outside}/by-command\n")
    program.chmod(0o700)
    home = Home(tmp_path / "home")
    credentials = {
        "by-env": "password: env:DESK_PASSWORD",
        "by-file": f"password: file:{outside}/by-file",
        "by-keyring": "password: keyring:reconciler/by-keyring",
        "by-command": f"password: 'command:{program} one'",
        "by-client-secret": OAUTH.format(
            grant="client_credentials", host=LOGIN_HOST, references="client_secret: env:APP_SECRET"
        ),
        "by-refresh-token": OAUTH.format(
            grant="refresh_token",
            host=LOGIN_HOST,
            references=f"refresh_token: file:{outside}/by-refresh-token",
        ),
    }
    for name, credential in credentials.items():
        text = ACCOUNT.format(name=name, host=MAIL_HOST, credential=credential)
        home.write(f"{name}.yaml", text.removesuffix("---\n"))
    home.write("roles.yaml", ROLES)
    shutil.copytree(
        home.config, home.folder / "desk", ignore=lambda _, names: {*names} - {"by-env.yaml"}
    )
    home.write("../reconciler.yaml", SETTINGS)
    with EchoingServers(authority[1]) as servers:
        home.environ |= {
            **BYSTANDERS,
            "DESK_PASSWORD": PASSWORDS["by-env"],
            "APP_SECRET": PASSWORDS["by-client-secret"],
            "RECONCILER_FINGERPRINT_KEY": FINGERPRINT_KEY,
            "RECONCILER_ALLOW_COMMAND": "1",
            "RECONCILER_CA_FILE": str(outside / "ca.pem"),
            "RECONCILER_CONNECT_TO": servers.connect_to,
        }
        made = World(home, servers)
        done = made.run("apply", "--auto-approve")
        assert done.status == ExitCode.OK, done.said
        yield made


def test_every_command_is_run_here() -> None:
    assert commands() == RUNS.keys()


def test_the_search_finds_what_is_left_of_a_sentinel() -> None:
    for number, sentinel in enumerate(SENTINELS):
        for encode in (*COVERED.values(), *NOT_COVERED.values()):
            assert any(name.startswith(f"sentinel {number}") for name in leaks(encode(sentinel)))
        assert leaks(f"its beginning: {sentinel[: run_of(sentinel)]}")
    assert leaks("nothing of the kind, 2026-11-27T08:15:00+00:00") == []


@pytest.mark.sweep
@pytest.mark.parametrize("mood", list(Mood))
def test_no_command_leaks_a_secret(world: World, mood: Mood) -> None:
    world.servers.mood = mood
    ended: dict[str, tuple[int, ...]] = {}
    for command, runs in RUNS.items():
        for arguments in runs:
            done = world.run(command, *arguments)
            ended[command] = (*ended.get(command, ()), done.status)
            assert done.status != ExitCode.USAGE, done.said
    assert world.servers.received >= {*PASSWORDS.values()}
    if mood is not Mood.REJECTS:
        assert world.servers.received >= {*TOKENS.values()}
    assert any("print-secret" in line for line in world.started)
    assert any("git" in line for line in world.started)
    for command, statuses in ended.items():
        if mood is Mood.WORKS:
            assert 0 in statuses or command in WITHOUT_WORK, (command, statuses)
    if mood in (Mood.REJECTS, Mood.HANGS_UP):
        for command in ("test", "doctor", "drift", "send", "sendmail"):
            assert 0 not in ended[command], (command, ended[command])


BROKEN: Final[dict[str, dict[str, str]]] = {
    "no server": {"RECONCILER_CONNECT_TO": "*"},
    "no secret": {"DESK_PASSWORD": "", "APP_SECRET": "", "RECONCILER_ALLOW_COMMAND": ""},
    "no trust": {"RECONCILER_CA_FILE": "/dev/null"},
    "no state": {"RECONCILER_STATE": "postgresql://x@127.0.0.1:1/x"},
    "no key": {"RECONCILER_FINGERPRINT_KEY": FINGERPRINT_KEY[:20]},
    "no permission": {"RECONCILER_ACTOR": "eve@contoso.example"},
    "CI": {"CI": "true", "GITHUB_ACTIONS": "true"},
}


@pytest.mark.sweep
@pytest.mark.parametrize("broken", BROKEN)
def test_no_failing_command_leaks_a_secret(world: World, broken: str) -> None:
    for command, (arguments, *_) in RUNS.items():
        world.run(command, *arguments, **BROKEN[broken])


@pytest.mark.sweep
@pytest.mark.parametrize("mood", list(Mood))
def test_no_exception_of_the_api_leaks_a_secret(world: World, mood: Mood) -> None:
    """Not in its text, its notes, its traceback, or the variables of its traceback."""
    world.servers.mood = mood
    failed = 0
    home, actor = world.home, "ada@contoso.example"
    with Mailer.open(actor=actor, config=home.config, environ=home.environ, timeout=10) as mailer:
        for name in (*PASSWORDS, *PASSWORDS):
            mail = Message(to=("ada@example.com",), subject="Hi", text="Hello")
            try:
                said = repr(mailer.send(mail, connector=name))
            except ReconcilerError as error:
                failed += 1
                report = traceback.TracebackException.from_exception(error, capture_locals=True)
                said = "".join((repr(error), repr(vars(error)), *report.format()))
            assert leaks(said) == [], said
    assert failed or mood in (Mood.WORKS, Mood.ACCEPTS)


@pytest.mark.parametrize("command", [("test",), ("apply", "--auto-approve"), SEND_BY_COMMAND])
def test_no_process_shows_anything_in_the_list_of_processes(
    world: World, command: tuple[str, ...]
) -> None:
    """As `ps` has it: the arguments of every process on this machine while a command runs."""
    world.home.edit("by-command.yaml", "one", "two")
    seen: set[bytes] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.005):
            for name in os.listdir("/proc"):  # noqa: PTH208 - every few milliseconds
                if name.isdecimal():
                    with (
                        contextlib.suppress(OSError),  # it has ended
                        open(f"/proc/{name}/cmdline", "rb", buffering=0) as file,  # noqa: PTH123
                    ):
                        seen.add(file.read())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        done = world.home.run_interpreter(*command)
    finally:
        ended.set()
        watcher.join()
    world.check(" ".join(command), done.said)
    lines = [line.decode("utf-8", "replace") for line in seen]
    assert any("print-secret" in line for line in lines)
    assert {leak for line in lines for leak in leaks(line)} == set()
