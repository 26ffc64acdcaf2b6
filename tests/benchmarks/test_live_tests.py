"""Live tests take as long as the network does, and no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.measure import Server, compared, measured, sorted_times

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.conftest import Tell
    from tests.servers.authority import Authority
    from tests.servers.dovecot import Dovecot

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

ROUND_TRIP = 0.1
COUNT, AT_A_TIME = 1000, 128
LOGINS, THREADS = 200, 16

# As tests/hostile/test_round_trips.py counts them, with one for TCP and one for TLS.
TRIPS = {"imap": 3 + 2, "smtp": 6 + 2}


@pytest.fixture(scope="module")
def far_away(certificates: tuple[Path, Path]) -> Iterator[dict[str, int]]:
    """Ports of an IMAP and a submission server that are 100 ms away."""
    with (
        Server("mail_server", 2, certificates[0]) as server,
        Server("delay", 2, ROUND_TRIP, *server.ports) as proxy,
    ):
        yield dict(zip(("imap", "smtp"), proxy.ports, strict=True))


@pytest.mark.parametrize("protocol", ["imap", "smtp"])
def test_a_thousand_tests_wait_for_the_network_and_for_little_else(
    protocol: str, far_away: dict[str, int], certificates: tuple[Path, Path], tell: Tell
) -> None:
    ideal = TRIPS[protocol] * ROUND_TRIP * COUNT / AT_A_TIME
    memory: list[float] = []

    def take() -> float:
        found = measured("probing", protocol, far_away[protocol], COUNT, AT_A_TIME, certificates[1])
        memory.append(found["memory"])
        return float(found["seconds"])

    times = sorted_times(take)
    tell(
        f"{COUNT} {protocol.upper()} tests, {AT_A_TIME} at a time, {TRIPS[protocol]} round trips of"
        f" 100 ms: {times[0]:.2f} s, {times[0] / ideal:.2f} of the {ideal:.2f} s that the network takes"
        f" (best of {len(times)}; worst {times[-1]:.2f} s); memory {max(memory):.0f} MB"
    )
    assert max(memory) < 120
    assert times[0] <= 1.15 * ideal


@pytest.mark.parametrize("depth", ["login", "mailbox"])
def test_as_many_sign_in_a_second_as_with_a_bare_loop(
    depth: str, dovecot: Dovecot, authority: Authority, tell: Tell
) -> None:
    def take(how: str) -> float:
        arguments = (how, depth, dovecot.tls_port, authority.certificate, LOGINS, THREADS)
        return float(measured("logins", *arguments)["seconds"])

    ratio = compared(lambda: take("probe"), lambda: take("bare"))
    tell(f"tests of a {depth} at Dovecot, against a bare loop of imapclient: {ratio}")
    assert ratio.median <= 1.3
