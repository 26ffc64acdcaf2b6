"""The paths of files in a report, relative to the top of the repository."""

from __future__ import annotations

import os
import posixpath
from urllib.parse import quote

from msgspec import Struct


class SourceRoot(Struct, frozen=True):
    """The top of the git work tree and the working folder, both absolute; empty outside of git.

    A problem names its file relative to the working folder. Code scanning, code quality
    and annotations take every path from the top of the repository.
    """

    top: str = ""
    folder: str = ""

    def path(self, file: str) -> str:
        """The path of a file from the top; files elsewhere keep their path."""
        if not self.top or not file:
            return file
        whole = posixpath.normpath(posixpath.join(self.folder, file))
        below = posixpath.relpath(whole, self.top)
        return file if below == ".." or below.startswith("../") else below

    def uri(self, file: str) -> tuple[str, bool]:
        """The path as a URI reference (RFC 3986), and whether it starts at the top of the repository."""
        path = self.path(file)
        encoded = quote(os.fsencode(path))
        if path.startswith("/"):
            return f"file://{encoded}", False
        # The first segment of a relative reference may not contain a colon (RFC 3986 section 4.2);
        # quote escapes it.
        return encoded, True


NO_ROOT = SourceRoot()
