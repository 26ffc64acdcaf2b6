"""Reads YAML by a library alone, without any of ours, and does nothing with it.

python -m tests.benchmarks.bare_yaml ruamel FOLDER
python -m tests.benchmarks.bare_yaml pyyaml FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def reader(library: str) -> Callable[[str], Iterator[Any]]:
    """The library's quickest one for all documents of a text."""
    if library == "pyyaml":
        import yaml

        return lambda text: yaml.load_all(text, Loader=yaml.CSafeLoader)
    from ruamel.yaml import YAML

    return YAML(typ="safe").load_all


def main(library: str, folder: str) -> None:
    """Count the documents."""
    read = reader(library)
    paths = sorted(Path(folder).glob("**/*.yaml"))
    print(sum(1 for path in paths for _ in read(path.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main(*sys.argv[1:])
