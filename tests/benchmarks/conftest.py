"""Benchmarks run alone and when they are asked for: ``pytest -m benchmark``. Their figures end the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

# Dovecot and Postfix, as the tests of the servers start it.
from tests.servers.conftest import (
    authorisation,
    authority,
    dovecot,
    mail_site,
    postfix,
    server_folder,
    workplace,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "authorisation",
    "authority",
    "dovecot",
    "mail_site",
    "postfix",
    "server_folder",
    "workplace",
]

FIGURES = pytest.StashKey[list[str]]()

Tell = Callable[[str], None]


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Takes a figure, and shows it at the end."""
    figures = request.config.stash.setdefault(FIGURES, [])
    return figures.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures."""
    figures = terminalreporter.config.stash.get(FIGURES, [])
    if figures:
        terminalreporter.section("figures")
        for figure in figures:
            terminalreporter.write_line(figure)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate with its key for the hosts of the benchmarks, and the authority that made it."""
    import trustme

    folder = tmp_path_factory.mktemp("certificates")
    own = trustme.CA()
    certificate, ca_file = folder / "hosts.pem", folder / "ca.pem"
    own.cert_pem.write_to_path(str(ca_file))
    issued = own.issue_cert("*.bench.example")
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    return certificate, ca_file
