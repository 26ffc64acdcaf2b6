"""What is attacked: commands that write the state, alone and against each other, and everything that sends."""

from __future__ import annotations

import json
import signal
import smtplib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from tests.chaos.ground import HANGS, PASSWORD, Ended, Ground
from tests.chaos.plans import TargetKind
from tests.functional.gateway.conftest import running
from tests.servers.loopback import LOOPBACK

APPLY: Final = ("apply", "--auto-approve", "--lock-timeout", "60s")
UNTESTED: Final = (*APPLY, "--skip-tests", "chaos")
MAILS: Final = 8
OK: Final = 250
TAKE, SUBMIT = "take", "submit"


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of target and what it does; ``empty`` is whether it begins without a state."""

    kind: TargetKind
    run: Callable[[Ground], None]
    empty: bool = False


def _first_apply(ground: Ground) -> None:
    ground.write("first", "first")
    ground.finish(ground.start("first", *UNTESTED, "--report", "json=report.json", attacked=True))


def _apply(ground: Ground) -> None:
    ground.write("first", "first")
    ground.finish(ground.start("first", *APPLY, "--report", "json=report.json", attacked=True))


def _two_applies(ground: Ground) -> None:
    ground.write("first", "first")
    ground.write("second", "second")
    _both(ground, UNTESTED, UNTESTED)


def _apply_and_forget(ground: Ground) -> None:
    ground.write("first", "first")
    forget = ("state", "forget", "Application.grafana", "--yes", "--lock-timeout", "60s")
    _both(ground, UNTESTED, forget)


def _apply_and_import(ground: Ground) -> None:
    ground.write("first", "first")
    _both(ground, UNTESTED, ("import", "--out", "imported"))


def _apply_and_rollback(ground: Ground) -> None:
    ground.write("first", "first")
    _both(ground, UNTESTED, ("rollback", "1", "--out", "rolled-back"))


def _apply_and_prune(ground: Ground) -> None:
    ground.write("first", "first")
    _both(ground, APPLY, ("history", "attempts", "--prune", "0s", "--yes"))


def _drift(ground: Ground) -> None:
    ground.write("first", "first")
    _both(ground, UNTESTED, ("drift", "--retries", "0", "--timeout", "10s"), victim=1)


def _moved(ground: Ground) -> None:
    done = ground.lead("state", "export", "--out", str(ground.folder / "first" / "moved.json"),
                       RECONCILER_STATE=ground.origin)  # fmt: skip
    assert done.status == 0, done.said
    ground.finish(ground.start("first", "state", "import", "moved.json", attacked=True))


def _both(
    ground: Ground, first: tuple[str, ...], second: tuple[str, ...], victim: int | None = None
) -> None:
    plan = ground.strike.plan
    if victim is None:
        victim = plan.victim if plan is not None else 0
    ground.finish(
        ground.start("first", *first, attacked=victim == 0),
        ground.start("second", *second, attacked=victim == 1),
    )


def _send(ground: Ground) -> None:
    mail = ground.mail(1)
    command = (
        "send",
        "--raw",
        "--connector",
        "support",
        "--save-sent",
        "always",
        "--copy-wait",
        "0s",
    )
    ground.finish(ground.start("first", *command, attacked=True, stdin=mail))


def _sendmail(ground: Ground) -> None:
    mail = ground.mail(1)
    ground.finish(ground.start("first", "sendmail", "-t", "-i", attacked=True, stdin=mail))


def _mailer(ground: Ground) -> None:
    mails = [ground.mail(number) for number in range(MAILS)]
    folder = str(ground.folder / "mails")
    ground.finish(ground.start("first", "mailer", folder, "support", *mails, attacked=True))


def _gateway(ground: Ground) -> None:
    """Mails of two clients through a gateway, while an apply changes what is in force."""
    home = ground.homes["first"]
    home.environ |= ground.links()
    (ground.folder / "pem").mkdir()
    answers: dict[str, int | None] = {}

    with running(home, ground.folder / "pem") as gateway:
        aim = ground.strike.aim(gateway.process)
        ground.write("second", "second")
        applied = ground.start("second", *UNTESTED, attacked=False)

        def deliver(numbers: range) -> None:
            for number in numbers:
                name = ground.mail(number)
                answers[name] = _deliver(ground, gateway.ports["none"], name)

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(deliver, range(at, at + 3)) for at in (0, 3)]:
                done.result(HANGS)
        ground.finish(applied)
        aim.join()
        if {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} & {*ground.strike.numbers}:
            gateway.process.wait(HANGS)
        status = gateway.end()
    text = "".join(event["text"] for event in gateway.events if event["event"] == "text")
    said = "\n".join(json.dumps(event) for event in gateway.events)
    ended = Ended(
        ground.address("first"),
        ("gateway",),
        status,
        json.dumps(answers),
        f"{said}\n\n{text}",
        attacked=True,
    )
    ground.ended.append(ended)


def _deliver(ground: Ground, port: int, name: str) -> int | None:
    """Hand a mail to the gateway; returns its answer to the text, 0 before that, None where it said nothing."""
    content = (ground.folder / "mails" / name).read_bytes()
    answer: int | None = 0
    with suppress(OSError, smtplib.SMTPException), smtplib.SMTP(LOOPBACK, port, timeout=HANGS) as client:  # fmt: skip
        client.login("grafana", PASSWORD)
        client.mail(ground.address("support"))
        code, _ = client.rcpt(ground.office.recipient)
        if code == OK:
            answer = None
            try:
                answer, _ = client.data(content)
            except smtplib.SMTPDataError:  # DATA itself was refused
                answer = 0
    return answer


def _kind(name: str, mark: str = TAKE, *links: str, sends: bool = False, commits: bool = False) -> TargetKind:  # fmt: skip
    return TargetKind(name, mark, links, sends, commits)


TARGETS: Final = {
    target.kind.name: target
    for target in (
        Target(_kind("first apply", commits=True), _first_apply, empty=True),
        Target(_kind("apply with live tests", TAKE, "smtp", "imap", commits=True), _apply),
        Target(_kind("two applies at once", commits=True), _two_applies),
        Target(_kind("apply and state forget", commits=True), _apply_and_forget),
        Target(_kind("apply and import"), _apply_and_import),
        Target(_kind("apply and rollback"), _apply_and_rollback),
        Target(_kind("apply and prune", TAKE, "smtp", "imap"), _apply_and_prune),
        Target(_kind("drift during an apply", "load", "smtp", "imap"), _drift),
        Target(_kind("state import", commits=True), _moved, empty=True),
        Target(_kind("send", SUBMIT, "smtp", "imap", sends=True), _send),
        Target(_kind("sendmail", SUBMIT, "smtp", "imap", sends=True), _sendmail),
        Target(_kind("Mailer with four threads", "", "smtp", sends=True), _mailer),
        Target(_kind("gateway during an apply", "", "smtp", sends=True), _gateway),
    )
}
KINDS: Final = tuple(target.kind for target in TARGETS.values())
