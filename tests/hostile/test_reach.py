"""Servers that cannot be reached, and runs that are cancelled."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.options import ProbeOptions
from reconciler.mail.dial import ConnectTo
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from reconciler.probe.result import StageOutcome
from reconciler.probe.runner import Interrupted, run
from reconciler.values import replace
from tests.dead_address import dead_address
from tests.hostile.conftest import HOST, Passwords, connector_for
from tests.hostile.scripts import imap

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.connection.failure import Failure
    from reconciler.model.connector import Connector
    from reconciler.probe.result import ConnectorResult
    from tests.hostile.server import HostileServer

QUICK = ProbeOptions(timeout=1.0, retries=0)
IMAP = connector_for(Protocol.IMAP, Security.NONE)


def led_to(port: int) -> ConnectTo:
    return ConnectTo.parse([f"{HOST}:4711=127.0.0.1:{port}"])


def failure(result: ConnectorResult) -> tuple[Stage, Failure]:
    ((_, stage, why),) = result.failures
    assert why.cause.endswith(".")
    assert why.remedy.endswith(".")
    return stage.stage, why


def outcome_of(connector: Connector, options: ProbeOptions) -> ConnectorResult:
    (result,) = run((connector,), Passwords(), options)
    return result


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_port_without_a_listener_is_refused() -> None:
    result = outcome_of(IMAP, replace(QUICK, connect_to=led_to(unused_port())))
    stage, why = failure(result)
    assert (stage, why.error_class) == (Stage.TCP, ErrorClass.REFUSED)
    assert result.unreachable


def test_an_unknown_name_is_a_dns_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    result = outcome_of(IMAP, QUICK)
    stage, why = failure(result)
    assert (stage, why.error_class) == (Stage.DNS, ErrorClass.DNS)
    assert result.unreachable


def test_an_impossible_name_is_a_dns_failure() -> None:
    assert IMAP.imap is not None
    long = replace(IMAP, imap=replace(IMAP.imap, server=f"{'ü' * 70}.example"))
    assert failure(outcome_of(long, QUICK))[1].error_class is ErrorClass.DNS


def test_dns_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Event()
    real = socket.getaddrinfo

    def slow(*arguments: Any, **others: Any) -> Any:
        if others["flags"] & socket.AI_NUMERICHOST:
            return real(*arguments, **others)
        ended.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    started = time.monotonic()
    result = outcome_of(IMAP, QUICK)
    assert time.monotonic() - started < 15
    ended.set()
    assert failure(result) == (Stage.DNS, failure(result)[1])
    assert failure(result)[1].error_class is ErrorClass.TIMEOUT


def test_a_connection_that_is_never_accepted_is_a_timeout() -> None:
    with dead_address(host="127.0.0.1") as (_, port):
        result = outcome_of(IMAP, replace(QUICK, connect_to=led_to(port)))
    stage, why = failure(result)
    assert (stage, why.error_class) == (Stage.TCP, ErrorClass.TIMEOUT)


def threads() -> set[threading.Thread]:
    """The threads that are left after a while; on a busy machine they take longer to end."""
    until = time.monotonic() + 10
    while True:
        left = {item for item in threading.enumerate() if item.name.startswith("probe-")}
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.01)


def call_off_with_an_event(silent: HostileServer, connectors: tuple[Any, ...]) -> Interrupted:
    cancelled = threading.Event()
    options = ProbeOptions(timeout=30, connect_to=led_to(silent.port), per_host=8)

    def call_off() -> None:
        wait_for_peers(silent)
        cancelled.set()

    timer = threading.Thread(target=call_off)
    timer.start()
    try:
        with pytest.raises(Interrupted) as interrupted:
            run(connectors, Passwords(), options, cancelled=cancelled)
    finally:
        timer.join()
    return interrupted.value


def call_off_with_ctrl_c(silent: HostileServer, connectors: tuple[Any, ...]) -> Interrupted:
    options = ProbeOptions(timeout=30, connect_to=led_to(silent.port), per_host=8)

    def press() -> None:
        wait_for_peers(silent)
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Thread(target=press)
    timer.start()
    try:
        with pytest.raises(Interrupted) as interrupted:
            run(connectors, Passwords(), options)
    finally:
        timer.join()
    return interrupted.value


def wait_for_peers(server: HostileServer) -> None:
    until = time.monotonic() + 10
    while not server.peers and time.monotonic() < until:
        time.sleep(0.01)


@pytest.mark.parametrize("call_off", [call_off_with_an_event, call_off_with_ctrl_c])
def test_a_cancelled_run_ends_soon_and_leaves_no_thread(
    serve: Callable[..., HostileServer],
    call_off: Callable[[HostileServer, tuple[Any, ...]], Interrupted],
) -> None:
    assert IMAP.imap is not None
    silent = serve(lambda peer: peer.hold())
    connectors = tuple(
        replace(IMAP, name=f"c{number}", imap=replace(IMAP.imap, username=f"u{number}"))
        for number in range(20)
    )
    started = time.monotonic()
    interrupted = call_off(silent, connectors)
    assert time.monotonic() - started < 10
    assert interrupted.results == ()
    assert interrupted.not_run == tuple(connector.name for connector in connectors)
    assert not threads()


def test_what_was_finished_before_is_kept(serve: Callable[..., HostileServer]) -> None:
    good, silent = serve(imap()), serve(lambda peer: peer.hold())
    assert IMAP.imap is not None
    slow = replace(IMAP, name="slow", imap=replace(IMAP.imap, port=4712, username="slow"))
    options = ProbeOptions(
        timeout=30,
        connect_to=ConnectTo.parse(
            [f"{HOST}:4711=127.0.0.1:{good.port}", f"{HOST}:4712=127.0.0.1:{silent.port}"]
        ),
    )
    with pytest.raises(Interrupted) as interrupted:
        run((slow, replace(IMAP, name="quick")), Passwords(), options, on_result=_interrupt)
    assert [result.connector for result in interrupted.value.results] == ["quick"]
    assert interrupted.value.not_run == ("slow",)
    assert not threads()


def _interrupt(_: ConnectorResult) -> None:
    raise KeyboardInterrupt


def test_results_come_in_the_order_of_the_connectors_and_drafts_are_left_out(
    serve: Callable[..., HostileServer],
) -> None:
    good = serve(imap())
    assert IMAP.imap is not None
    connectors = tuple(
        replace(
            IMAP,
            name=f"c{number}",
            draft=number == 3,
            imap=replace(IMAP.imap, username=f"u{number}"),
        )
        for number in range(8)
    )
    told: list[tuple[str, threading.Thread]] = []
    results = run(
        connectors,
        Passwords(),
        ProbeOptions(connect_to=led_to(good.port)),
        on_result=lambda result: told.append((result.connector, threading.current_thread())),
    )
    expected = [f"c{number}" for number in range(8) if number != 3]
    assert [result.connector for result in results] == expected
    assert sorted(name for name, _ in told) == expected
    assert {thread for _, thread in told} == {threading.current_thread()}
    assert all(result.passed for result in results)
    assert not threads()


def test_a_failing_imap_account_does_not_hide_the_smtp_account(
    serve: Callable[..., HostileServer],
) -> None:
    smtp = connector_for(Protocol.SMTP, Security.NONE)
    both = replace(smtp, imap=IMAP.imap)
    result = outcome_of(both, replace(QUICK, connect_to=led_to(unused_port())))
    assert [item.protocol for item in result.protocols] == [Protocol.IMAP, Protocol.SMTP]
    assert [item.failed is not None for item in result.protocols] == [True, True]
    assert {stage.outcome for stage in result.protocols[1].stages[:2]} == {StageOutcome.OK}
