"""Up to twenty applies at once, each a process with a configuration of its own."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import Home

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.sweeps import Some

NUMBERS = range(20)
DONE, STALE, LOCKED = 0, 6, 7
SKIP = ("--auto-approve", "--skip-tests", "no servers here")

pytestmark = pytest.mark.timeout(400)


def variants(folder: Path, state_url: str, numbers: list[int]) -> list[Home]:
    """Folders that each configure a different display name, and share a state."""
    homes = []
    for number in numbers:
        home = Home(folder / f"w{number}")
        home.environ |= {"RECONCILER_STATE": state_url, "RECONCILER_ACTOR": f"w{number}"}
        home.write(
            "support.yaml",
            f"kind: EmailConnector\nname: support\ndisplay_name: Variant {number}\n"
            "imap: {server: imap.contoso.example, port: 993, use_ssl: true, username: support,\n"
            "       password: env:SUPPORT_PASSWORD}\n",
        )
        homes.append(home)
    return homes


def endings(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """How each of them ended, and what it said."""
    ended = []
    for process in processes:
        with process:
            out, err = process.communicate(timeout=300)
        ended.append((process.returncode, out + err))
    return ended


def history(home: Home) -> list[tuple[int, str, str]]:
    """Serial, actor, and the display name that the revision left behind, oldest first."""
    revisions = json.loads(home("history", "--limit", "100", "--format", "json").out)["revisions"]
    found = []
    for item in reversed(revisions):
        shown = home("history", "show", str(item["serial"]), "--format", "json").out
        names = re.findall(r'"display_name": "([^"]*)"', shown)
        found.append((item["serial"], item["actor"], names[-1]))
    return found


def test_all_of_those_who_wait_land_one_after_the_other(
    tmp_path: Path, state_url: str, some: Some
) -> None:
    numbers = some(NUMBERS)
    homes = variants(tmp_path, state_url, numbers)
    processes = [home.start("apply", *SKIP, "--lock-timeout", "300s") for home in homes]
    for status, said in endings(processes):
        assert status == DONE, said
    written = history(homes[0])
    assert [serial for serial, _, _ in written] == list(range(1, len(homes) + 1))
    # Everybody's change is there, once, under the name of who made it.
    assert {(actor, name) for _, actor, name in written} == {
        (f"w{number}", f"Variant {number}") for number in numbers
    }
    assert written[-1][2] in homes[0]("show", "support").out
    assert homes[0]("state", "lock").out == "The state is not locked.\n"


def test_of_those_who_do_not_wait_each_lands_or_names_the_holder(
    tmp_path: Path, state_url: str, some: Some
) -> None:
    numbers = some(NUMBERS)
    homes = variants(tmp_path, state_url, numbers)
    ended = endings([home.start("apply", *SKIP) for home in homes])
    for number, (status, said) in zip(numbers, ended, strict=True):
        assert status in (DONE, LOCKED), said
        if status == LOCKED:
            assert re.search(r"is locked by w\d+ \(apply\)|another (process|transaction)", said)
        else:
            assert "Apply complete!" in said, number
    landed = {
        f"w{number}" for number, (status, _) in zip(numbers, ended, strict=True) if status == DONE
    }
    assert landed
    written = history(homes[0])
    assert [serial for serial, _, _ in written] == list(range(1, len(landed) + 1))
    assert {actor for _, actor, _ in written} == landed


def test_of_many_plans_of_one_state_a_single_one_is_applied(
    tmp_path: Path, state_url: str, some: Some
) -> None:
    homes = variants(tmp_path, state_url, some(NUMBERS))
    for home in homes:
        assert home("plan", "--out", "plan.json").status == DONE
    command = ("apply", "plan.json", "--skip-tests", "no servers here", "--lock-timeout", "300s")
    ended = endings([home.start(*command) for home in homes])
    assert Counter(status for status, _ in ended) == {DONE: 1, STALE: len(homes) - 1}
    for status, said in ended:
        if status == STALE:
            assert "its lineage differs" in said
    assert len(history(homes[0])) == 1
