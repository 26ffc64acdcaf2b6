"""Servers for the tests, started for the first test that asks for them and stopped after the last.

``dovecot`` and ``postfix`` are the servers, ``authority`` made their certificates. Tests that only
read mail ask for ``imap_site``, which needs no root; those that send ask for ``mail_site``.
"""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.app import applied
from reconciler.app.mailer import Mailer
from reconciler.back_off import BackOff
from reconciler.sending import sent_copy
from tests.servers.authorisation import AuthorisationServer
from tests.servers.authority import Authority
from tests.servers.dovecot import Dovecot, dovecot_program
from tests.servers.mailboxes import Mailboxes
from tests.servers.postfix import Postfix, postfix_program
from tests.servers.site import site_of
from tests.servers.workplace import INFO_DOCUMENT, PAYROLL_DOCUMENT, SUPPORT_DOCUMENT, Workplace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.site import Site


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that the servers' users can read, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="reconciler-servers-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def authority(server_folder: Path) -> Authority:
    return Authority(server_folder)


@pytest.fixture(scope="session")
def authorisation(authority: Authority) -> Iterator[AuthorisationServer]:
    with AuthorisationServer(authority) as server:
        yield server


@pytest.fixture(scope="session")
def dovecot(
    server_folder: Path, authority: Authority, authorisation: AuthorisationServer
) -> Iterator[Dovecot]:
    program = dovecot_program()
    if program is None:
        pytest.skip("Dovecot is not installed: apt-get install dovecot-imapd dovecot-lmtpd")
    folder = server_folder / "dovecot"
    folder.mkdir()
    server = Dovecot(program, folder, authority, introspection_url=authorisation.introspection_url)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def bearer_dovecot(
    server_folder: Path,
    authority: Authority,
    authorisation: AuthorisationServer,
    dovecot: Dovecot,
) -> Iterator[Dovecot]:
    """A Dovecot that offers only the standard mechanism for signing in with a token."""
    folder = server_folder / "bearer-dovecot"
    folder.mkdir()
    server = Dovecot(
        dovecot.program,
        folder,
        authority,
        introspection_url=authorisation.introspection_url,
        mechanisms="oauthbearer",
    )
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postfix(server_folder: Path, authority: Authority, dovecot: Dovecot) -> Iterator[Postfix]:
    program = postfix_program()
    if program is None:
        pytest.skip("Postfix is not installed: apt-get install postfix")
    if os.geteuid() != 0:
        pytest.skip("Postfix can only be started by root")
    folder = server_folder / "postfix"
    folder.mkdir()
    server = Postfix(program, folder, authority, dovecot)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def imap_site(authority: Authority, dovecot: Dovecot) -> Site:
    return site_of(authority, dovecot, None)


@pytest.fixture(scope="session")
def mail_site(authority: Authority, dovecot: Dovecot, postfix: Postfix) -> Site:
    return site_of(authority, dovecot, postfix)


@pytest.fixture
def workplace(tmp_path: Path, mail_site: Site) -> Workplace:
    return Workplace(tmp_path, mail_site)


@pytest.fixture
def mailboxes(dovecot: Dovecot, authority: Authority) -> Mailboxes:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.check_hostname = False  # the plain library checks the name 127.0.0.1
    return Mailboxes(dovecot, context)


@pytest.fixture
def apply(workplace: Workplace) -> Callable[..., None]:
    """Apply documents, beside the connectors support, payroll and info."""

    def apply(*documents: str, support: str = SUPPORT_DOCUMENT) -> None:
        workplace.write(support, PAYROLL_DOCUMENT, INFO_DOCUMENT, *documents)
        options = ("--auto-approve", "--allow-policy-change", "--skip-tests", "sent for real")
        done = workplace("apply", *options)
        assert done.status == 0, done.said

    return apply


@pytest.fixture
def mailer(
    workplace: Workplace, apply: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mailer]:
    monkeypatch.setattr(applied, "FRESH", 0.0)  # look for a new revision before each mail
    monkeypatch.setattr(sent_copy, "_LOOKS", BackOff(first=0.02, longest=0.02, tries=6))
    apply()
    with Mailer.open(
        config=workplace.folder / "connectors.d",
        environ=workplace.environ,
        timeout=30,
        copies_in_background=False,
    ) as mailer:
        yield mailer
