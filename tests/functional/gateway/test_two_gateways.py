"""Two gateways on one PostgreSQL state: what is applied counts at both, and both write the one log."""

from __future__ import annotations

import json
from contextlib import ExitStack
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
