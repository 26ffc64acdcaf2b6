"""What must hold after every attack, checked by reading the tables, files and mailboxes directly."""

from __future__ import annotations

import base64
import json
import re
import signal
from typing import TYPE_CHECKING, Final

from tests.chaos import stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.chaos.ground import Ended, Ground
    from tests.chaos.stored import StoredRows

_UNKNOWN: Final = "may have been written"
WRITERS: Final = ("apply", "state forget", "state import")
_TRACES: Final = (
    "Traceback", "Exception ignored", "Exception in thread", "Exception closing", "Exception during",
    "AssertionError", "sqlalchemy", "psycopg", "sqlite3.", 'File "', "Fatal Python error",
)  # fmt: skip
_KNOWN: Final = re.compile(
    r"(lead|first|second)/(connectors\.d/connectors\.yaml|report\.json|moved\.json"
    r"|(imported|rolled-back)(/[\w.-]+\.yaml)?)|\.reconciler/(\.gitignore|state\.db(-wal|-shm)?)"
    r"|said/\d+\.(out|err)|mails/\d+\.eml|counts|pem/tls\.pem"
)
"""The files that may lie there."""

_DRAFT: Final = re.compile(r"(.*/)?\.[\w.]+\.draft-[0-9a-f]{8}(-wal|-shm|-journal|/.*)?")
"""What kill -9 may leave of a file or folder that was being made."""


def command_of(ended: Ended) -> str:
    """The command as users name it."""
    first, *rest = ended.command
    return f"{first} {rest[0]}" if first in {"state", "history"} else first


def outcome(ended: Ended, ground: Ground, rows: StoredRows) -> str:
    """How the attacked process ended, in a few words for the table."""
    command = command_of(ended)
    killed = "killed, " if ended.status < 0 else ""
    if command in WRITERS:
        return _came_of_writing(ended, killed, wrote=bool(_written(ended, ground, rows)))
    if ground.mails:
        told = _TOLD[_claim(ended)] if command in {"send", "sendmail"} and not killed else ""
        return told or f"{killed or 'ended, '}{_logged(rows, ground)}"
    if killed:
        return "killed"
    return "completed" if ended.status in {0, 2} else "ended early, and it says so"


_TOLD: Final = {
    "sent": "sent",
    "not": "not sent, and it says so",
    "unknown": "may be delivered, and it says so",
}


def _came_of_writing(ended: Ended, killed: str, *, wrote: bool) -> str:
    came = "written" if wrote else "nothing written"
    if killed:
        return f"{killed}{came}"
    if _UNKNOWN in ended.last_line:
        return "outcome unknown, and it says so"
    return "completed" if ended.status == 0 else f"{came}, and it says so"


def _written(ended: Ended, ground: Ground, rows: StoredRows) -> tuple[int, ...]:
    """The revisions of a process; a state that was moved keeps those of its origin."""
    if command_of(ended) == "state import":
        return (rows.serial,) if rows.serial else ()
    return rows.written_by(ended.actor, ground.serial)


def _logged(rows: StoredRows, ground: Ground) -> str:
    results = [result for name in ground.mails.values() for result in rows.sent.get(name, ())]
    for result in ("uncertain", "sent"):
        if result in results:
            return f"log says {result}" if len(ground.mails) == 1 else f"some {result}"
    return "nothing sent"


def broken(ground: Ground) -> Iterator[str]:
    """Yield each broken promise, in a sentence with the evidence."""
    rows = stored.read(ground.state)
    serials = [serial for serial, _ in rows.revisions]
    if serials != list(range(1, rows.serial + 1)):
        yield f"the serials have gaps: {serials}, and the state is at {rows.serial}"
    for ended in ground.ended:
        yield from _said(ended, ground)
        if command_of(ended) in WRITERS:
            yield from _writer(ended, ground, rows)
    if rows.token and not any(ended.status == -signal.SIGKILL for ended in ground.ended):
        yield f"a lease is left: {rows.token}"
    yield from _mails(ground, rows)
    yield from _files(ground)
    yield from _recovery(ground)


def _said(ended: Ended, ground: Ground) -> Iterator[str]:
    text = ended.out + ended.err
    for trace in _TRACES:
        # By default, an application shows where Ctrl-C hit it.
        if trace in text and (command_of(ended) != "mailer" or "KeyboardInterrupt" not in text):
            yield f"{command_of(ended)} shows {trace!r}"
    for secret in ground.secrets():
        if _holds(text.encode(), secret):
            yield f"{command_of(ended)} shows a secret"
    if command_of(ended) == "gateway" and (words := ended.err.rpartition("\n\n")[2]):
        yield f"the log of the gateway is not JSON: {words!r}"
    if ended.status < 0 and not ended.attacked:
        yield f"{command_of(ended)} was not attacked, and ended by signal {-ended.status}"
    if not ended.attacked and ended.status not in {0, 2}:
        yield f"{command_of(ended)} was not attacked, and failed with {ended.status}"


def _writer(ended: Ended, ground: Ground, rows: StoredRows) -> Iterator[str]:
    """Yield the false statements of a command that writes revisions."""
    command, last = command_of(ended), ended.last_line
    found = _written(ended, ground, rows)
    facts = f"{command} wrote {found}, ended with {ended.status}, and says last {last!r}"
    if len(found) > 1:
        yield f"more than one revision: {facts}"
    if ended.status < 0:
        # Only before its first word does a process not hear of the signals that end it.
        if ended.status != -signal.SIGKILL and (found or ended.out):
            yield f"it did not hear of the signal: {facts}"
        return
    if ended.status == 0:
        if not found and "No changes" not in ended.out:
            yield f"nothing was written: {facts}"
        return
    serial = max(found, default=0)
    true = {f"Revision {serial} was written." if found else "Nothing was written."}
    if last not in true and _UNKNOWN not in last:
        yield f"the last line is not true: {facts}"
    interrupted = "Interrupted" in ended.err and _UNKNOWN not in last
    if interrupted and ended.status != (11 if found else 130):
        yield f"the exit code is not true: {facts}"


def _claim(ended: Ended) -> str:
    """What the exit of a send says about its mail: sent, not sent, or unknown."""
    if ended.status == 0:
        return "sent"
    if ended.status == 76 or "may have been delivered" in ended.err or ended.status < 0:
        return "unknown"
    return "not"


def _claims(ground: Ground) -> Iterator[tuple[str, str]]:
    """Each mail with the answer to its sender."""
    for ended in ground.ended:
        command = command_of(ended)
        if command in {"send", "sendmail"}:
            yield next(iter(ground.mails)), _claim(ended)
        elif command == "mailer":
            told = dict(json.loads(line) for line in ended.out.splitlines() if line.endswith("]"))
            for name in ground.mails:
                result = told.get(name, "unknown")
                known = {"sent": "sent", "unknown": "unknown", "DeliveryUncertain": "unknown"}
                yield name, known.get(result, "not")
        elif command == "gateway":
            for name, answer in json.loads(ended.out).items():
                yield name, "sent" if answer == 250 else "not" if answer in {0, *range(500, 600)} else "unknown"  # fmt: skip


def _mails(ground: Ground, rows: StoredRows) -> Iterator[str]:
    silent = any("not written to the log" in ended.err + ended.out for ended in ground.ended)
    for name, claim in _claims(ground):
        message_id = ground.mails[name]
        taken = ground.office.taken(message_id)
        results = rows.sent.get(message_id, ())
        facts = (
            f"{name} was taken {taken} times, the log says {results}, and its sender heard: {claim}"
        )
        if taken > 1 and "uncertain" not in results:
            yield f"delivered more than once: {facts}"
        if taken and not {"sent", "partly", "uncertain"} & {*results} and not silent:
            yield f"delivered and not in the log: {facts}"
        if not taken and "sent" in results:
            yield f"in the log as sent and not delivered: {facts}"
        if taken != 1 and claim == "sent":
            yield f"said to be sent: {facts}"
        if taken and claim == "not":
            yield f"said not to be sent: {facts}"


def _files(ground: Ground) -> Iterator[str]:
    killed = any(ended.status == -signal.SIGKILL for ended in ground.ended)
    for path in sorted(item for item in ground.folder.rglob("*") if item.is_file()):
        name = path.relative_to(ground.folder).as_posix()
        if not _KNOWN.fullmatch(name) and not (killed and _DRAFT.fullmatch(name)):
            yield f"a file is left: {name}"
        if any(_holds(path.read_bytes(), secret) for secret in ground.secrets()):
            yield f"a secret is in {name}"
        if path.suffix == ".json":
            yield from _whole(path, name)


def _whole(path: Path, name: str) -> Iterator[str]:
    try:
        json.loads(path.read_text("utf-8"))
    except ValueError:
        yield f"{name} is not whole"


def _holds(data: bytes, secret: str) -> bool:
    plain = secret.encode()
    return plain in data or any(
        base64.b64encode(b"\0" * shift + plain)[4:-4] in data for shift in range(3)
    )


def _recovery(ground: Ground) -> Iterator[str]:
    """The state is usable afterwards, at once or when the lease is over."""
    rows = stored.read(ground.state)
    lead = ground.lead
    for command in (("status",), ("state", "check"), ("history", "--verify")):
        done = lead(*command)
        if done.status and rows.serial:
            yield f"{' '.join(command)} ends with {done.status}: {done.said}"
    ground.write("lead", "lead")
    done = lead("apply", "--auto-approve", "--skip-tests", "chaos", "--lock-timeout", "60s")
    if done.status:
        yield f"the next apply ends with {done.status}: {done.said}"
    after = stored.read(ground.state)
    if after.serial != rows.serial + 1 or after.token:
        yield f"the next apply left the state at {after.serial}, after {rows.serial}"
    done = lead("plan", "--detailed-exitcode")
    if done.status:
        yield f"the plan after the next apply is not empty: {done.said}"
