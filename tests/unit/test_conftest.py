"""A test without its server fails if servers are required, and is skipped otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

TESTS = """
import pytest

@pytest.mark.server
def test_that_asks_for_a_server():
    pytest.skip("no dovecot")

@pytest.mark.server
def test_whose_fixture_does(server):
    pass

@pytest.fixture
def server():
    pytest.skip("no postfix")

@pytest.mark.server
@pytest.mark.xfail(reason="known")
def test_that_is_expected_to_fail():
    assert False

def test_that_skips_for_another_reason():
    pytest.skip("not on this system")

@pytest.mark.server
def test_that_has_its_server():
    pass
"""


def run(folder: Path, *, required: str) -> subprocess.CompletedProcess[str]:
    folder.joinpath("conftest.py").write_text(CONFTEST.read_text())
    folder.joinpath("pytest.ini").write_text("[pytest]\nmarkers = server\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"],
        cwd=folder,
        env={
            **os.environ,
            "RECONCILER_REQUIRE_SERVERS": required,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("required", ["", "0"])
def test_without_servers_the_suite_passes(tmp_path: Path, required: str) -> None:
    tmp_path.joinpath("test_mail.py").write_text(TESTS)

    done = run(tmp_path, required=required)

    assert done.returncode == 0
    assert "1 passed, 3 skipped, 1 xfailed" in done.stdout


def test_if_servers_are_required_it_fails_and_says_why(tmp_path: Path) -> None:
    tmp_path.joinpath("test_mail.py").write_text(TESTS)

    done = run(tmp_path, required="1")

    assert done.returncode == 1
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error" in done.stdout
    assert "this was skipped: Skipped: no dovecot" in done.stdout
    assert "this was skipped: Skipped: no postfix" in done.stdout


def test_a_whole_file_of_them_cannot_skip_itself(tmp_path: Path) -> None:
    tmp_path.joinpath("servers").mkdir()
    tmp_path.joinpath("servers", "test_mail.py").write_text(
        "import pytest\npytest.skip('no dovecot', allow_module_level=True)\n"
    )

    assert "1 skipped" in run(tmp_path, required="0").stdout
    done = run(tmp_path, required="1")

    assert done.returncode == 2
    assert "this was skipped: Skipped: no dovecot" in done.stdout
