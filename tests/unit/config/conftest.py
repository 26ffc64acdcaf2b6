from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.config.load import Loaded, load
from reconciler.config.settings import DEFAULTS, Settings

if TYPE_CHECKING:
    from reconciler.model.provider import Provider

Load = Callable[..., Loaded]


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads texts as the files of a folder: ``load_text(text)`` or ``load_text(**{name: text})``."""

    def run(
        text: str | bytes | None = None,
        *,
        providers: tuple[Provider, ...] = (),
        settings: Settings = DEFAULTS,
        environment: str = "",
        **files: str | bytes,
    ) -> Loaded:
        monkeypatch.chdir(tmp_path)
        root = Path("connectors.d")
        root.mkdir(exist_ok=True)
        if text is not None:
            files = {"a": text, **files}
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (root / f"{name}.yaml").write_bytes(data)
        return load(root, providers=providers, settings=settings, environment=environment)

    return run
