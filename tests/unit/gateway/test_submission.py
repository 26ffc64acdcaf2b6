"""Room for mails: it is bounded even by clients that leave before they are answered."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.smtp import Envelope

from reconciler.gateway.event_log import EventLog
from reconciler.gateway.metrics import Metrics
from reconciler.gateway.passwords import Passwords
from reconciler.gateway.settings import GatewaySettings
from reconciler.gateway.submission import SubmissionHandler
from reconciler.gateway.throttle import Throttle
from tests.builders import application

if TYPE_CHECKING:
    from concurrent.futures import Executor


class Connection:
    """A client's connection, as far as a mail needs one."""

    def __init__(self, name: str) -> None:
        self.session = SimpleNamespace(auth_data=application(name), host_name="client")
        self.peer = "127.0.0.1"
        self.is_encrypted = True
        self.handed_over = None
        self.concluded = None
        self.is_told = False

    def pause_timer(self) -> None: ...

    def resume_timer(self) -> None: ...


class Slow:
    """A provider that answers when it is let."""

    def __init__(self) -> None:
        self.begun, self.may_answer = Event(), Event()

    def send(self, *mail: Any) -> None:
        del mail
        self.begun.set()
        assert self.may_answer.wait(60)
        raise ValueError


class Accepting(Slow):
    """A provider that accepts a mail when allowed, and records which clients got the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[bool] = []

    def send(self, *mail: Any) -> Any:
        del mail
        self.begun.set()
        assert self.may_answer.wait(60)
        sent = SimpleNamespace(
            refused=(), route=SimpleNamespace(connector="support"), message_id="<a@b>"
        )
        return SimpleNamespace(sent=sent, conclude=self._conclude)

    def _conclude(self, *, is_told: bool) -> None:
        self.told.append(is_told)


def handler_of(provider: Slow, executor: Executor, metrics: Metrics, log: io.StringIO) -> Any:
    return SubmissionHandler(
        GatewaySettings(listeners=(), status=None, host_name="here", at_once=2),
        provider,  # type: ignore[arg-type]
        Passwords(lambda reference: pytest.fail(str(reference))),
        Throttle(),
        sending=executor,
        asking=executor,
        metrics=metrics,
        log=EventLog(log),
    )


def envelope() -> Envelope:
    made = Envelope()
    made.content = b"From: a@b.example\r\n\r\nx\r\n"
    made.mail_from, made.rcpt_tos = "a@b.example", ["c@d.example"]
    return made


@pytest.mark.parametrize("stays", [True, False])
def test_a_mail_is_logged_as_sent_once_its_client_has_the_answer(*, stays: bool) -> None:
    provider, metrics, log = Accepting(), Metrics(), io.StringIO()

    async def scene() -> None:
        handler, client = handler_of(provider, executor, metrics, log), Connection("grafana")
        assert handler.begin(client) == ""
        answer = asyncio.ensure_future(handler.handle_DATA(client, client.session, envelope()))
        assert await asyncio.to_thread(provider.begun.wait, 60)
        if stays:
            provider.may_answer.set()
            assert (await answer).startswith("250 ")
            assert provider.told == []
            await handler.conclude(client, is_told=True)
        else:
            answer.cancel()
            provider.may_answer.set()
        handler.end(client)
        await handler.room.wait_until_empty()
        assert metrics.under_way == 0

    with ThreadPoolExecutor(2) as executor:
        asyncio.run(asyncio.wait_for(scene(), 60))
    assert provider.told == [stays]
    assert f'"result": "{"sent" if stays else "uncertain"}"' in log.getvalue()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_client_that_leaves_frees_no_room_until_its_mail_is_done() -> None:
    slow, log = Slow(), io.StringIO()

    async def scene() -> None:
        handler = handler_of(slow, executor, metrics, log)
        first, other = Connection("grafana"), Connection("gitlab")
        assert handler.begin(first) == ""
        waiting = asyncio.ensure_future(handler.handle_DATA(first, first.session, envelope()))
        assert await asyncio.to_thread(slow.begun.wait, 60)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        handler.end(first)
        assert handler.begin(first).startswith("451 4.3.2")  # half is one, which is in progress
        assert handler.begin(other) == ""
        assert metrics.under_way == 2
        slow.may_answer.set()
        while metrics.under_way == 2:  # noqa: ASYNC110 - what frees the room tells nobody
            await asyncio.sleep(0.001)
        assert handler.begin(first) == ""

    metrics = Metrics()
    with ThreadPoolExecutor(2) as executor:
        asyncio.run(asyncio.wait_for(scene(), 60))
    assert '"event": "mail", "application": "grafana"' in log.getvalue()
