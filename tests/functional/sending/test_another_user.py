"""A state that one user applies and another one, such as the web server's, sends through."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can act as another user"
)

STRANGER: Final = 64123
GROUP: Final = 64124
CONNECTOR: Final = """\
kind: EmailConnector
name: support
enable_mail_send_from: true
smtp: {server: mail.contoso.example, port: 25, security: none, sign_in: none,
  email_address: support@contoso.example}
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can come to, which those of pytest are not."""
    made = Path(tempfile.mkdtemp(prefix="reconciler-shared-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


AS_ANOTHER: Final = """
import contextlib, io, os, sys
import sqlalchemy.dialects.sqlite
import reconciler.state.sql.sqlite, reconciler.state.sql.store
from reconciler.cli.main import main
user, group, *arguments = sys.argv[1:]
if int(user):
    # Loads the modules, which may lie where only root reads.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        main(arguments)
    os.setgroups([int(group)] if int(group) else [])
    os.setgid(int(user))
    os.setuid(int(user))
sys.exit(main(arguments))
"""


def run(folder: Path, *arguments: str, user: int = 0, group: int = 0) -> str:
    """The exit code of a command that a user runs, and what it says."""
    done = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER, str(user), str(group), *arguments],
        cwd=folder,
        env={
            "PATH": os.defpath,
            "RECONCILER_STATE": f"sqlite:///{folder}/state/state.db",
            "RECONCILER_CONFIG": str(folder / "connectors.d"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


@pytest.fixture
def shared(folder: Path) -> Path:
    """A state in a folder of a group, whose members may read it."""
    (folder / "connectors.d").mkdir()
    (folder / "connectors.d" / "support.yaml").write_text(CONNECTOR)
    state = folder / "state"
    state.mkdir()
    os.chown(state, 0, GROUP)
    state.chmod(0o750)
    said = run(
        folder,
        "apply",
        "--auto-approve",
        "--skip-tests",
        "shared",
        "--actor",
        "lead@contoso.example",
    )
    assert said.startswith("0\n"), said
    os.chown(state / "state.db", 0, GROUP)
    (state / "state.db").chmod(0o640)
    return folder


ROUTE: Final = ("route", "--connector", "support", "--as", "shop@contoso.example")


def test_a_member_of_the_group_reads_the_applied_state(shared: Path) -> None:
    said = run(shared, *ROUTE, user=STRANGER, group=GROUP)
    assert said.startswith("0\n"), said
    refused = run(shared, "apply", "--auto-approve", user=STRANGER, group=GROUP)
    assert not refused.startswith("0\n")
    assert "Traceback" not in refused


def test_other_users_do_not(shared: Path) -> None:
    said = run(shared, *ROUTE, user=STRANGER)
    assert not said.startswith("0\n")
    assert "Traceback" not in said
    assert "Permission denied" in said
