"""A language server as an editor has it: a process that speaks JSON-RPC over its standard streams (LSP 3.17)."""

from __future__ import annotations

import json
import subprocess
import threading
from queue import Queue
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DEADLINE: Final = 60
"""Seconds that one answer may take."""

SETTINGS: Final = {
    "yaml": {
        "completion": True,
        "hover": True,
        "validate": True,
        "schemaStore": {"enable": False},  # nothing is fetched: the modeline names the schema
    }
}


class LanguageServer:
    """A running server, to be used as a context manager."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            [*command, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
        self._sent = 0
        self._answers: Queue[dict[str, Any]] = Queue()
        self._problems: Queue[dict[str, Any]] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._ask(
            "initialize",
            {
                "processId": None,
                "rootUri": folder.as_uri(),
                "capabilities": {
                    "workspace": {"configuration": True},
                    "textDocument": {
                        "hover": {"contentFormat": ["markdown"]},
                        "completion": {
                            "completionItem": {"documentationFormat": ["markdown"]}
                        },
                        "publishDiagnostics": {},
                    },
                },
            },
        )  # fmt: skip
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": SETTINGS})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._reader.join(DEADLINE)

    def open(self, path: Path, text: str) -> list[dict[str, Any]]:
        """Open a file as an editor shows it, and return its problems."""
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        while True:
            found = self._problems.get(timeout=DEADLINE)
            if found["uri"] == path.as_uri():
                problems: list[dict[str, Any]] = found["diagnostics"]
                return problems

    def hover(self, path: Path, line: int, column: int) -> str:
        """What is shown where the pointer rests; line and column count from 0."""
        found = self._ask("textDocument/hover", _at(path, line, column))
        return str(found["contents"]["value"]) if found else ""

    def complete(self, path: Path, line: int, column: int) -> list[dict[str, Any]]:
        """What is offered at the cursor."""
        items: list[dict[str, Any]] = self._ask("textDocument/completion", _at(path, line, column))[
            "items"
        ]
        return items

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._sent += 1
        self._write({"id": self._sent, "method": method, "params": params})
        answer = self._answers.get(timeout=DEADLINE)
        assert "error" not in answer, answer
        assert answer["id"] == self._sent
        return answer["result"]

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        self._write({"method": method, "params": params})

    def _write(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stream = self._process.stdin
        assert stream is not None
        stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        stream.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while header := stream.readline():
            length = int(header.partition(b":")[2])
            while stream.readline().strip():
                pass
            message = json.loads(stream.read(length))
            if "method" not in message:
                self._answers.put(message)
            elif message["method"] == "textDocument/publishDiagnostics":
                self._problems.put(message["params"])
            elif "id" in message:  # the server asks for settings, or announces what it can do
                self._write({"id": message["id"], "result": _answer(message)})


def _answer(message: dict[str, Any]) -> Any:
    if message["method"] != "workspace/configuration":
        return None
    return [SETTINGS.get(item.get("section")) for item in message["params"]["items"]]


def _at(path: Path, line: int, column: int) -> dict[str, Any]:
    return {
        "textDocument": {"uri": path.as_uri()},
        "position": {"line": line, "character": column},
    }
