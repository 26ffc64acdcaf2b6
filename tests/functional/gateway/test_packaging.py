"""The files that run the gateway as a service or in a container fit the command that they call."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from reconciler.cli.commands.gateway import command

PACKAGING: Final = Path(__file__).parents[3] / "packaging"
UNIT: Final = PACKAGING / "systemd" / "reconciler-gateway.service"
CONTAINER: Final = PACKAGING / "container" / "Containerfile"
OPTIONS: Final = {option for item in command.params for option in item.opts}


def test_the_unit_uses_existing_options() -> None:
    (start,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    assert set(re.findall(r"--[a-z-]+", start)) <= OPTIONS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("/opt/reconciler/bin/reconciler", "/bin/true")
    unit = tmp_path / UNIT.name
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []


def test_the_container_runs_the_gateway_without_root() -> None:
    steps = [line for line in CONTAINER.read_text().splitlines() if re.match("[A-Z]+ ", line)]
    last = steps[max(number for number, item in enumerate(steps) if item.startswith("FROM ")) :]
    users = [item.split()[1] for item in last if item.startswith("USER ")]
    assert users == ["10001:10001"]
    called = [
        json.loads(item.partition(" ")[2])
        for item in steps
        if item.startswith(("ENTRYPOINT ", "CMD "))
    ]
    words = [word for call in called for word in call]
    assert words[1] == "gateway"
    assert {word for word in words if word.startswith("--")} <= OPTIONS
    assert steps.index("USER 10001:10001") < steps.index(
        next(i for i in steps if "ENTRYPOINT" in i)
    )


def test_the_container_is_built_from_locked_versions_and_keeps_no_secret() -> None:
    joined = CONTAINER.read_text().replace("\\\n", " ")
    steps = [line for line in joined.splitlines() if re.match("[A-Z]+ ", line)]
    (base,) = [item.partition("=")[2] for item in steps if item.startswith("ARG ")]
    assert re.fullmatch(
        r"docker\.io/library/python:3\.[0-9]+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base
    )
    assert {item.split()[1] for item in steps if item.startswith("FROM ")} == {"${BASE}"}
    assert not [item for item in steps if item.startswith(("ENV ", "ADD "))]
    installs = re.findall(r"/pip install [^&]*", joined)
    assert len(installs) == 3
    assert all("--require-hashes" in item or "--no-deps" in item for item in installs)
    (check,) = [item.partition("[")[2] for item in steps if item.startswith("HEALTHCHECK ")]
    assert "/readyz" in check
