"""`doctor` at servers that lie, stall and repeat secrets: it looks further only where it is safe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from reconciler.mail.redaction import HIDDEN
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from tests.hostile.conftest import PASSWORD
from tests.hostile.scripts import CAPABILITIES, Answer, hang_up, hold, imap, smtp

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.probe.doctor import ExaminedAccount
    from tests.hostile.conftest import Certificates
    from tests.hostile.server import HostileServer

    Serve = Callable[..., HostileServer]

QUOTA = f"* CAPABILITY {CAPABILITIES} QUOTA\r\n{{tag}} OK done\r\n"


def test_quotas_are_shown_as_the_server_reports_them(look: Callable[..., ExaminedAccount]) -> None:
    answer = (
        '* QUOTAROOT INBOX ""\r\n* QUOTA "" (STORAGE 10 512 MESSAGE 3 1000)\r\n{tag} OK done\r\n'
    )
    found = look(Protocol.IMAP, imap(CAPABILITY=QUOTA, GETQUOTAROOT=answer))
    assert found.result.failed is None
    assert found.details.quotas is not None
    assert [(item.resource, item.usage, item.limit) for item in found.details.quotas] == [
        ("STORAGE", 10, 512), ("MESSAGE", 3, 1000),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [
        "{tag} NO not for you\r\n",
        "* QUOTA nonsense\r\n{tag} OK done\r\n",
        '* QUOTAROOT INBOX ""\r\n* QUOTA "" (STORAGE ten)\r\n{tag} OK done\r\n',
        "\x00\x00\r\n",
        hang_up,
        hold,
    ],
)
def test_a_server_that_fails_at_quotas_still_works(
    look: Callable[..., ExaminedAccount], answer: Answer
) -> None:
    timeout = 3.0
    started = time.monotonic()
    found = look(Protocol.IMAP, imap(CAPABILITY=QUOTA, GETQUOTAROOT=answer), timeout=timeout)
    assert time.monotonic() - started < timeout + 10
    assert found.result.failed is None
    assert found.details.quotas is None
    assert "QUOTA" in found.details.capabilities


def test_nothing_that_repeats_the_secret_is_shown(look: Callable[..., ExaminedAccount]) -> None:
    script = imap(
        CAPABILITY=f"* CAPABILITY IMAP4rev1 QUOTA {PASSWORD}\r\n{{tag}} OK done\r\n",
        LIST=f'* LIST (\\Sent \\{PASSWORD}) "/" "{PASSWORD}"\r\n{{tag}} OK done\r\n',
        GETQUOTAROOT=f'* QUOTAROOT INBOX "{PASSWORD}"\r\n* QUOTA "{PASSWORD}" (STORAGE 1 2)\r\n'
        "{tag} OK done\r\n",
    )
    found = look(Protocol.IMAP, script)
    assert found.details.quotas is not None
    assert found.details.capabilities == ("IMAP4REV1", "QUOTA")


def test_a_secret_in_pieces_is_not_shown(look: Callable[..., ExaminedAccount]) -> None:
    pieces = [PASSWORD[start : start + 3] for start in range(0, len(PASSWORD), 3)]
    listed = "".join(f'* LIST () "/" {piece}\r\n' for piece in pieces)
    script = imap(LIST=f'{listed}* LIST (\\Sent) "/" Sent\r\n{{tag}} OK done\r\n')
    found = look(Protocol.IMAP, script)
    assert {folder.name for folder in found.details.folders} == {HIDDEN}


def test_a_refused_certificate_is_shown_and_nothing_about_the_account(
    look: Callable[..., ExaminedAccount], certificates: Certificates
) -> None:
    for security in (Security.IMPLICIT, Security.STARTTLS):
        context = certificates.wrong_name
        script = imap(context, greeting="* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n")
        found = look(Protocol.IMAP, script, security=security, context=context)
        assert found.details.speaks is security
        assert not found.details.verified
        assert found.details.chain


def test_a_port_without_tls_is_reported(look: Callable[..., ExaminedAccount]) -> None:
    found = look(Protocol.SMTP, smtp(), plain=True)
    assert found.details.speaks is Security.NONE
    assert found.details.chain == ()
