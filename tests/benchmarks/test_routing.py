"""What the decision about one mail costs, with few connectors and with many, and with a group of a hundred thousand."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.directory import Group, Roles
from reconciler.model.permissions import Permissions, Principals
from reconciler.model.secret_ref import SecretRef
from reconciler.model.snapshot import Snapshot
from reconciler.routing.index import RoutingIndex
from reconciler.sending.message import Message, Stamp
from reconciler.sending.prepare import SendRequest, prepare
from tests.benchmarks.measure import compared

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Tell

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

MAILS: Final = 400
STAMP: Final = Stamp("5eed", datetime(2026, 3, 1, 12, tzinfo=UTC))
SERVER: Final = MailServer(
    server="smtp.bench.example",
    port=465,
    security=Security.IMPLICIT,
    username="user",
    password=SecretRef("env", "PASSWORD"),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is stored."""

    connectors: int
    members: int

    @property
    def snapshot(self) -> Snapshot:
        """So many connectors, each open to a group of so many."""
        names = [f"box-{number:05}" for number in range(self.connectors)]
        users = tuple(f"user-{number}@contoso.example" for number in range(self.members))
        return Snapshot(
            groups=(Group(name="staff", members=Principals(users=users)),),
            roles=Roles(),
            connectors=tuple(
                Connector(
                    name=name,
                    display_name=name,
                    enable_mail_send_from=True,
                    smtp=SERVER,
                    email_address=f"{name}@contoso.example",
                    also_sends_as=(f"{name}@shop.example",),
                )
                for name in names
            ),
            permissions=tuple(
                Permissions(connector=name, users=Principals(groups=("staff",))) for name in names
            ),
        )


SMALL: Final = Size(100, 10)
LARGE: Final = Size(10_000, 100_000)


def seconds(index: RoutingIndex) -> float:
    """Seconds of CPU for the route and the text of all mails, by address, from the first to the last connector."""
    connectors = index.snapshot.connectors
    started = time.process_time()
    for number in range(MAILS):
        owner = connectors[number * 7919 % len(connectors)]
        message = Message(to=("ada@x.example",), subject=f"Order {number}", text="Shipped.\n")
        sender = owner.also_sends_as[0] if number % 2 else owner.email_address
        request = SendRequest(message=message, actor="user-7@contoso.example", sender=sender)
        prepare(request, index, STAMP)
    return time.process_time() - started


def test_a_mail_at_ten_thousand_connectors_costs_what_it_costs_at_a_hundred(tell: Tell) -> None:
    large, small = RoutingIndex(LARGE.snapshot), RoutingIndex(SMALL.snapshot)
    for index in (large, small):
        seconds(index)  # which builds what the first mail of a revision builds
    ratio = compared(lambda: seconds(large), lambda: seconds(small))
    tell(
        f"CPU of a mail at {LARGE.connectors:,} connectors and a group of {LARGE.members:,},"
        f" against {SMALL.connectors} and {SMALL.members}: {ratio}"
    )
    assert ratio.median <= 1.2
