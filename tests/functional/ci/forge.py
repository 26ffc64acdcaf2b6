"""The parts of the APIs of GitHub and GitLab that the comment needs, on loopback."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.functional.ci.actions import WRITES

if TYPE_CHECKING:
    from types import TracebackType

GITLAB_TOKEN = "glpat-made-up"
BOT = "github-actions[bot]"


class Forge:
    """Pull requests and comments. ``calls`` are the methods and paths that were asked for."""

    def __init__(self) -> None:
        self.pulls: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.calls: list[str] = []
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                size = int(self.headers.get("Content-Length", "0"))
                body = json.loads(self.rfile.read(size) or "{}")
                place = urlsplit(self.path)
                forge.calls.append(f"{self.command} {place.path}")
                query = {name: values[0] for name, values in parse_qs(place.query).items()}
                token = self.headers.get("PRIVATE-TOKEN") or self.headers["Authorization"][7:]
                status, answer = forge.answer(self.command, place.path, query, body, token)
                data = json.dumps(answer).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:9/")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_PUT = handle_any  # noqa: N815 - http.server looks for them

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add_comment(self, author: str, body: str) -> None:
        who = {"login": author, "id": 7 if author == BOT else 8}
        made = {"id": len(self.comments) + 1, "user": who, "author": who, "body": body}
        self.comments.append(made)

    def answer(
        self, method: str, path: str, query: dict[str, str], body: dict[str, str], token: str
    ) -> tuple[int, Any]:
        """The status and the document of an answer."""
        found = re.search(r"/(?:issues/comments|notes)/(\d+)$", path)
        answer: tuple[int, Any] = (404, {})
        if method != "GET" and token not in {WRITES, GITLAB_TOKEN}:
            answer = 403, {"message": "Resource not accessible by integration"}
        elif path == "/user":
            answer = 200, {"id": 7}
        elif path == "/repos/contoso/mail/pulls":
            heads = [(f"{item['head']['user']}:{item['head']['ref']}", item) for item in self.pulls]
            answer = 200, [item for head, item in heads if head == query["head"]]
        elif found is not None and method in {"PATCH", "PUT"}:
            self.comments[int(found[1]) - 1]["body"] = body["body"]
            answer = 200, {}
        elif path.endswith(("/merge_requests/1/notes", "/issues/1/comments")) and method == "POST":
            self.add_comment(BOT, body["body"])
            answer = 201, self.comments[-1]
        elif path.endswith(("/merge_requests/1/notes", "/issues/1/comments")):
            first = 100 * (int(query["page"]) - 1)
            answer = 200, self.comments[first : first + 100]
        return answer
