"""A signal at any moment of an apply: the last line and the exit code say whether it was written."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Final

import pytest

from tests.functional.conftest import DEADLINE
from tests.functional.signalled import run_signalled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functional.conftest import Done, Home
    from tests.servers.postgresql import Postgresql

NOTHING: Final = (130, "Nothing was written.")
WRITTEN: Final = (11, "Revision 1 was written.")

ENDINGS: Final = {
    "before reconciler.state.sql.leases.take": NOTHING,
    "after reconciler.state.sql.leases.take": NOTHING,
    "before reconciler.state.sql.store.SqlStore.load": NOTHING,
    "before reconciler.apply.executor.Executor.apply": NOTHING,
    "before reconciler.state.sql.writing.commit": WRITTEN,
    "after reconciler.state.sql.writing.commit": WRITTEN,
    "after reconciler.state.sql.store.SqlStore.commit": WRITTEN,
    "before reconciler.apply.executor.Executor._prove": WRITTEN,
    "before reconciler.state.sql.leases.release": WRITTEN,
    "after reconciler.state.sql.leases.release": WRITTEN,
    "before reconciler.render.applied.applied": WRITTEN,
}
"""Where in an apply the signal comes, and how that apply ends."""


def apply_signalled(home: Home, moment: str, *numbers: int, before: str = "") -> Done:
    options = ("--auto-approve", "--skip-tests", "no servers here", "--report", "json=report.json")
    return run_signalled(home, moment, numbers, "apply", *options, before=before)


def check(home: Home, done: Done, ending: tuple[int, str]) -> None:
    """The command ended this way, says so, left no lock, and the state holds what it says."""
    status, sentence = ending
    assert done.status == status, done.said
    assert done.err.splitlines()[-2:] == ["Interrupted.", sentence]
    assert "Traceback" not in done.said
    assert "Exception" not in done.said
    assert home("state", "lock").out == "The state is not locked.\n"
    stored = json.loads(home("status", "--format", "json").out)
    assert stored["serial"] == (1 if ending == WRITTEN else 0)
    report = json.loads((home.folder / "report.json").read_text())
    if ending == NOTHING:
        assert (report["outcome"], report["serial"]) == ("failed", None)
    else:
        assert report["serial"] == 1


LOADING: Final = "before reconciler.state.sql.store.SqlStore.load"
WRITING: Final = "before reconciler.state.sql.writing.commit"


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("moment", "number"),
    [
        *((moment, signal.SIGTERM) for moment in ENDINGS),
        *((moment, signal.SIGINT) for moment in (LOADING, WRITING)),
        *((moment, signal.SIGHUP) for moment in (LOADING, WRITING)),
    ],
)
def test_the_last_line_says_whether_it_has_written(
    home: Home, moment: str, number: signal.Signals
) -> None:
    check(home, apply_signalled(home, moment, number), ENDINGS[moment])
    again = home("apply", "--auto-approve", "--skip-tests", "no servers here")
    assert again.status == 0, again.said


@pytest.fixture
def team(home: Home, postgresql: Postgresql) -> Iterator[Home]:
    postgresql.clear()
    home.environ["RECONCILER_STATE"] = postgresql.url
    yield home
    postgresql.clear()


@pytest.mark.sweep
@pytest.mark.server
@pytest.mark.parametrize("moment", ENDINGS)
def test_the_last_line_says_it_of_a_database_too(team: Home, moment: str) -> None:
    check(team, apply_signalled(team, moment, signal.SIGTERM), ENDINGS[moment])


def test_a_second_signal_does_not_wait_for_the_commit(home: Home) -> None:
    done = apply_signalled(home, WRITING, signal.SIGTERM, signal.SIGINT)
    assert done.status == 1, done.said
    assert done.err.splitlines()[-2:] == [
        "Interrupted.",
        "Revision 1 may have been written; `reconciler history` shows it.",
    ]
    assert "Traceback" not in done.said
    report = json.loads((home.folder / "report.json").read_text())
    assert (report["outcome"], report["serial"]) == ("failed", None)


def test_what_nohup_ignores_stays_ignored(home: Home) -> None:
    quiet = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    done = apply_signalled(home, WRITING, signal.SIGHUP, before=quiet)
    assert done.status == 0, done.said
    assert "Apply complete!" in done.out


FULL: Final = """
import reconciler.render.applied as result

def full(*_):
    raise OSError(28, "No space left on device", "<stdout>")

result.applied = full
"""


def test_an_output_that_cannot_be_written_does_not_hide_the_revision(
    home: Home, disk: Path
) -> None:
    done = apply_signalled(home, LOADING, before=FULL)
    assert done.status == 1
    assert done.err.splitlines()[-3:] == [
        f"Error: <stdout>: the disk at {disk} is full",
        "  Free some space on that disk and run the command again.",
        "Revision 1 was written.",
    ]


def test_a_pipe_that_nobody_reads_does_not_hide_it_either(home: Home) -> None:
    with home.start("apply", "--auto-approve", "--skip-tests", "none") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(DEADLINE) == 1
    assert said == "Error: nobody reads standard output any more\nNothing was written.\n"
    assert json.loads(home("status", "--format", "json").out)["serial"] == 0


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--config", "nowhere"), 3),
        (("--skip-tests", "none", "--actor", "nobody@contoso.example"), 8),
        (("--skip-tests", "none", "--report", "json=/dev/full"), 1),
    ],
)
def test_every_failure_says_whether_it_has_written(
    home: Home, arguments: tuple[str, ...], status: int
) -> None:
    home.apply_untested()
    home.edit("info.yaml", "General enquiries", "Help desk")
    done = home.run("apply", "--auto-approve", *arguments)
    assert done.status == status, done.said
    serial = json.loads(home("status", "--format", "json").out)["serial"]
    sentence = "Nothing was written." if serial == 1 else f"Revision {serial} was written."
    assert done.err.splitlines()[-1] == sentence


def test_forgetting_and_moving_a_state_report_it_too(home: Home) -> None:
    home.apply_untested()
    assert home("state", "export", "--out", "state.json").status == 0
    for command, serial in (
        (("state", "forget", "info", "--yes"), 2),
        (("state", "import", "state.json", "--state", "sqlite:///other.db"), 1),
    ):
        done = run_signalled(home, "before reconciler.state.sql.leases.release", (15,), *command)
        assert done.status == 11, done.said
        assert done.err.splitlines()[-1] == f"Revision {serial} was written."


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_after_the_last_word_changes_nothing(home: Home, number: signal.Signals) -> None:
    done = run_signalled(home, "before reconciler.cli.main._settle", (number,), "validate")
    assert (done.status, done.err) == (0, "")
    assert "Traceback" not in done.said


def test_a_signal_during_the_last_message_changes_nothing_either(home: Home) -> None:
    options = ("--auto-approve", "--actor", "nobody@contoso.example")
    home.apply_untested()
    home.edit("info.yaml", "General enquiries", "Help desk")
    moment = "before reconciler.cli.main.show_error"
    done = run_signalled(home, moment, (signal.SIGTERM,), "apply", *options)
    assert done.status == 8, done.said
    assert done.err.splitlines()[-1] == "Nothing was written."


def test_a_signal_after_the_end_of_an_apply_does_not_deny_it(home: Home) -> None:
    done = apply_signalled(home, "before click.core.Context.close", signal.SIGTERM)
    assert done.status == 0, done.said
    assert "Apply complete!" in done.out


def test_a_signal_before_an_apply_has_begun_says_that_nothing_was_written(home: Home) -> None:
    for moment in (
        "before reconciler.cli.main.prepare",
        "before reconciler.cli.main.check_arguments",
    ):
        done = run_signalled(home, moment, (signal.SIGHUP,), "apply", "--auto-approve")
        assert done.status == 130
        assert done.err.splitlines() == ["Interrupted.", "Nothing was written."]


def test_a_signal_within_the_creation_of_a_report_leaves_the_report_alone(home: Home) -> None:
    done = apply_signalled(home, "after reconciler.app.atomic_file._create", signal.SIGTERM)
    assert done.status == 11, done.said
    assert json.loads((home.folder / "report.json").read_text())["serial"] == 1
    assert sorted(path.name for path in home.folder.iterdir()) == [".reconciler", "connectors.d", "report.json"]  # fmt: skip


GONE: Final = """
import os
from reconciler.cli.closing import Closing
words = Closing.interrupted

def gone(closing, *said):
    nearest, far = os.pipe()
    os.close(nearest)
    os.dup2(far, 2)
    return words(closing, *said)

Closing.interrupted = gone
"""


def test_the_exit_code_is_true_even_where_nobody_reads_the_last_line(home: Home) -> None:
    done = apply_signalled(home, WRITING, signal.SIGHUP, before=GONE)
    assert done.status == 11, done.said
    assert "Revision" not in done.err
    assert json.loads(home("status", "--format", "json").out)["serial"] == 1


UNKNOWN: Final = (1, "Revision 1 may have been written; `reconciler history` shows it.")


@pytest.mark.parametrize(
    ("moment", "ending"),
    [
        ("before reconciler.state.sql.sqlite.SqliteDatabase._require_current", NOTHING),
        ("after reconciler.state.sql.leases.take", NOTHING),
        ("before reconciler.state.sql.driver_rows.DriverRows.insert", UNKNOWN),
        ("before reconciler.state.sql.driver_rows.DriverRows.insert_new", UNKNOWN),
        ("after reconciler.state.sql.writing.commit", UNKNOWN),
    ],
)
def test_a_second_signal_within_the_database_shows_nothing_of_it(
    home: Home, moment: str, ending: tuple[int, str]
) -> None:
    done = apply_signalled(home, moment, signal.SIGTERM, signal.SIGINT)
    assert (done.status, done.err.splitlines()[-2:]) == (ending[0], ["Interrupted.", ending[1]])
    assert not [word for word in ("Traceback", "Exception", "sqlite") if word in done.said]
    assert home("state", "lock").out == "The state is not locked.\n"
    assert home("state", "check").status == 0


@pytest.mark.parametrize("step", ["do_rollback", "do_commit", "do_close"])
def test_a_second_signal_within_sqlalchemy_shows_nothing_of_it(home: Home, step: str) -> None:
    home.apply_untested()
    moment = f"before sqlalchemy.engine.default.DefaultDialect.{step}"
    done = run_signalled(home, moment, (signal.SIGTERM, signal.SIGINT), "state", "check")
    assert done.status == 130, done.said
    assert done.err == "\nInterrupted.\n"
