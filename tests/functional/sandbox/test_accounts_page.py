"""Every file of the page "Which account do you have?" is valid, and works in the sandbox."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from reconciler.config.load import load
from reconciler.connection.failure import Stage
from reconciler.sandbox.session import Sandbox
from tests.functional.sandbox.test_probes import probe

PAGE: Final = (Path(__file__).parents[3] / "docs" / "accounts.md").read_text(encoding="utf-8")
FILES: Final = re.findall(r"^## ([^\n]+)\n.*?^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_kind_of_account_has_a_file_and_a_line_in_the_table() -> None:
    assert len(FILES) == 7 == PAGE.count("```yaml") == len(re.findall(r"\]\(#", PAGE))


@pytest.mark.parametrize(("title", "text"), FILES, ids=[title for title, _ in FILES])
def test_a_file_is_valid_and_passes_every_live_test(title: str, text: str, tmp_path: Path) -> None:
    folder = tmp_path / "connectors.d"
    folder.mkdir()
    (folder / "account.yaml").write_text(text, encoding="utf-8")
    loaded = load(folder)
    assert loaded.diagnostics == (), title
    assert loaded.snapshot is not None
    with Sandbox(loaded.snapshot.connectors, tmp_path / "sandbox") as session:
        (result,) = probe(session, *loaded.snapshot.connectors, depth=Stage.DELIVERY)
    assert result.failures == ()
    assert session.journal.delivered + len(session.journal.strays) == 1
    assert session.journal.faults == ()


def test_the_files_go_together(tmp_path: Path) -> None:
    folder = tmp_path / "connectors.d"
    folder.mkdir()
    for number, (_, text) in enumerate(FILES):
        (folder / f"{number}.yaml").write_text(text, encoding="utf-8")
    loaded = load(folder)
    assert loaded.diagnostics == ()
    assert loaded.snapshot is not None
    assert len(loaded.snapshot.connectors) == len(FILES)
