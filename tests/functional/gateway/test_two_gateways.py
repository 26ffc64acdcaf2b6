"""Two gateways on one PostgreSQL state: an apply takes effect at both, and both write to the same log."""

from __future__ import annotations

import json
from contextlib import ExitStack
from time import sleep
from typing import TYPE_CHECKING

import pytest

from tests.functional.gateway.conftest import PASSWORD, SENDER, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functional.conftest import Home
    from tests.functional.gateway.conftest import Running
    from tests.servers.postgresql import Postgresql

pytestmark = pytest.mark.server

ASKED = "info@contoso.example"
MAIL = f"From: {ASKED}\r\nTo: {{to}}\r\nSubject: x\r\n\r\nx\r\n"


@pytest.fixture
def team(live: Home, postgresql: Postgresql) -> Iterator[Home]:
    """The shipped example, applied to a database; its application may send as every address."""
    postgresql.clear()
    live.environ |= {"RECONCILER_STATE": postgresql.url, "GRAFANA_SMTP_PASSWORD": PASSWORD}
    live.edit("applications.yaml", "senders: [no-reply@contoso.example]", "")
    live.edit("info.yaml", "users:\n  groups: [marketing]\n", "")
    live.apply_untested()
    yield live
    postgresql.clear()


@pytest.fixture
def gateways(team: Home, tmp_path: Path) -> Iterator[list[Running]]:
    """Two processes that share nothing but the state."""
    with ExitStack() as stack:
        found = []
        for name in ("one", "other"):
            folder = tmp_path / name
            folder.mkdir()
            found.append(stack.enter_context(running(team, folder)))
        yield found


def test_an_apply_reaches_both_and_both_log(gateways: list[Running], team: Home) -> None:
    clients = [gateway.client() for gateway in gateways]
    team.edit("policy.yaml", "enabled: false", "enabled: true")
    for number, client in enumerate(clients):
        client.sendmail(ASKED, [to := f"before{number}@elsewhere.example"], MAIL.format(to=to))
    team.apply_untested("--allow-policy-change")
    for gateway in gateways:
        assert gateway.wait_for("applied")["serial"] == 2
    for number, client in enumerate(clients):
        client.sendmail(ASKED, [to := f"after{number}@elsewhere.example"], MAIL.format(to=to))
        client.quit()
    done = team.run("log", "--application", "grafana", "--format", "json")
    rows = [
        (item["result"], item["sender"], item["from_address"], item["reason"])
        for item in reversed(json.loads(done.out)["entries"])
    ]
    assert rows == [
        *[("sent", ASKED, ASKED, "sender")] * 2,
        *[("sent", ASKED, SENDER, "global_policy")] * 2,
    ]
    assert json.loads(gateways[0].page("/healthz")[1])["serial"] == 2


def test_a_database_that_is_away_stops_no_mail_and_is_followed_again(
    team: Home, postgresql: Postgresql, tmp_path: Path
) -> None:
    with running(team, tmp_path) as gateway:
        team.edit("policy.yaml", "enabled: false", "enabled: true")
        try:
            postgresql.stop()
            gateway.wait_for("state_away")
            assert '"degraded"' in gateway.page("/healthz")[1]
            with gateway.client() as client:  # its sign-in is answered from what was applied, too
                client.sendmail(ASKED, [to := "away@elsewhere.example"], MAIL.format(to=to))
        finally:
            postgresql.start_again()
        gateway.wait_for("state_back")
        team.apply_untested("--allow-policy-change")
        gateway.wait_for("applied")
        with gateway.client() as client:
            client.sendmail(ASKED, [to := "back@elsewhere.example"], MAIL.format(to=to))
        gateway.wait_for("mail", 2)  # which is logged once the client has its answer
        sent = [event["connector"] for event in gateway.events if event["event"] == "mail"]
        assert sent == ["info", "no-reply"]


def test_a_database_that_is_away_for_longer_than_the_grace_stops_the_mail_for_now(
    team: Home, postgresql: Postgresql, tmp_path: Path
) -> None:
    with running(team, tmp_path, "--state-grace", "1") as gateway, gateway.client() as client:
        try:
            postgresql.stop()
            gateway.wait_for("state_away")
            sleep(1.1)
            refused = client.docmd("MAIL", f"FROM:<{ASKED}>")
        finally:
            postgresql.start_again()
        assert refused[0] == 451
        gateway.wait_for("state_back")
        client.sendmail(ASKED, [to := "later@elsewhere.example"], MAIL.format(to=to))
