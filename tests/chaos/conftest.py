"""What attacks share: servers, initial states, and what each target usually takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.chaos.ground import Templates
from tests.chaos.offices import RealOffice, ScriptedOffice
from tests.chaos.table import AttackTable
from tests.hostile.conftest import Certificates
from tests.servers.conftest import (  # noqa: F401 - fixtures of the real servers
    authorisation,
    authority,
    dovecot,
    postfix,
    server_folder,
)
from tests.servers.mailboxes import Mailboxes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.ground import Usual
    from tests.servers.authority import Authority
    from tests.servers.dovecot import Dovecot
    from tests.servers.postfix import Postfix


def pytest_configure(config: pytest.Config) -> None:
    """Collect the table of attacks, in the process that all attacks are reported to."""
    if config.option.chaos_report and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Reporter(config), "chaos-report")


class _Reporter:
    """Writes the table at the end, with the attacks of all workers."""

    def __init__(self, config: pytest.Config) -> None:
        option = config.option
        self._path = Path(option.chaos_report)
        self._command = (
            f"pytest tests/chaos --chaos {option.chaos} --chaos-seed {option.chaos_seed}"
        )
        self._table = AttackTable()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add an attack."""
        if report.when == "call":
            for name, attack in report.user_properties:
                if name == "attack":
                    assert isinstance(attack, list)
                    self._table.add(attack)

    def pytest_sessionfinish(self) -> None:
        """Write the table."""
        self._table.write(self._path, self._command)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return Templates(tmp_path_factory.mktemp("templates"))


@pytest.fixture(scope="session")
def measured() -> dict[tuple[str, str, str], Usual]:
    """What targets usually take, as far as it was measured."""
    return {}


@pytest.fixture(scope="session")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedOffice]:
    with ScriptedOffice(Certificates(tmp_path_factory.mktemp("certificates"))) as office:
        yield office


@pytest.fixture(scope="session")
def real(authority: Authority, dovecot: Dovecot, postfix: Postfix) -> RealOffice:  # noqa: F811
    import ssl

    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.check_hostname = False  # the plain library asks for 127.0.0.1
    return RealOffice(authority, dovecot, postfix, Mailboxes(dovecot, context))
