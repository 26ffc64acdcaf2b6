"""Start-up: a command costs little more than the interpreter with the libraries that it needs."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.benchmarks.measure import RECONCILER, ROOT, Server, compared, cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.benchmarks.conftest import Tell

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

LIBRARIES: Final = (sys.executable, "-c", "import click, pydantic")
"""The yardstick of the limits. `import pydantic` alone loads little of it: names are looked up when they are used."""

MODELS: Final = (sys.executable, "-c", "import click; from pydantic import BaseModel, TypeAdapter")
"""What a program with a model of pydantic's loads, for comparison."""

ALLOWED: Final = {
    "RECONCILER_ALLOW_CREDENTIAL": "*",
    "RECONCILER_ACTOR": "mail-lead@contoso.example",
}

RELAY: Final = """
kind: EmailConnector
name: relay
enable_mail_send_from: true
smtp: {{server: 127.0.0.1, port: {port}, security: none, sign_in: none, email_address: relay@contoso.example}}
save_sent: never
"""
"""Has no TLS and no sign-in, so that the connection adds little."""
MAIL: Final = "From: relay@contoso.example\nTo: ada@x.example\nSubject: Order\n\nShipped.\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with Server("submission", 1, "-") as server:
        yield server.ports[0]


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory, port: int) -> Path:
    """The shipped example with a relay, applied, and a mail."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(ROOT / "connectors.d", folder / "connectors.d")
    (folder / "connectors.d" / "relay.yaml").write_text(RELAY.format(port=port))
    (folder / "mail.eml").write_text(MAIL)
    command = (RECONCILER, "apply", "--auto-approve", "--skip-tests", "no servers here")
    cpu_seconds(*command, cwd=folder, environ=ALLOWED)
    return folder


def against_libraries(run: Callable[[], float], command: str, tell: Tell) -> float:
    """Measure a command against the libraries alone, and against models for comparison; return the former."""
    ratio = compared(run, lambda: cpu_seconds(*LIBRARIES), pairs=21)
    models = compared(run, lambda: cpu_seconds(*MODELS), pairs=9)
    tell(f"{command}, against `import click, pydantic`: {ratio}")
    tell(
        f"{command}, against `import click; from pydantic import BaseModel, TypeAdapter`: {models}"
    )
    return ratio.median


@pytest.mark.parametrize(
    ("arguments", "limit"),
    [
        (("--help",), 1.0),
        (("validate",), 2.2),
        (("plan",), 2.2),
        (("status",), 1.8),
        (("route", "--from", "info@contoso.example", "--as", "joan@contoso.example"), 1.9),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_a_command_starts_within_a_small_multiple_of_its_libraries(
    arguments: tuple[str, ...], limit: float, applied: Path, tell: Tell
) -> None:
    assert (
        against_libraries(
            lambda: cpu_seconds(RECONCILER, *arguments, cwd=applied, environ=ALLOWED),
            f"reconciler {' '.join(arguments)}",
            tell,
        )
        <= limit
    )


def test_one_sendmail_starts_and_sends_within_a_small_multiple_of_its_libraries(
    applied: Path, tell: Tell
) -> None:
    sender = {"RECONCILER_ACTOR": "joan@contoso.example"}
    assert (
        against_libraries(
            lambda: cpu_seconds(
                RECONCILER,
                "sendmail",
                "-t",
                cwd=applied,
                environ=sender,
                reading=applied / "mail.eml",
            ),
            "reconciler sendmail of a mail without TLS",
            tell,
        )
        <= 2.5
    )
