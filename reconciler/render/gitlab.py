"""Problems of the configuration as a code quality report, which GitLab shows on a merge request.

The format is that of https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from reconciler.ci_systems import escape_commands
from reconciler.diagnostics import Severity
from reconciler.render.sarif import fingerprints
from reconciler.render.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.diagnostics import Diagnostic
    from reconciler.render.source_root import SourceRoot

_SEVERITIES: Final = {Severity.ERROR: "major", Severity.WARNING: "minor"}


def gitlab(problems: Sequence[Diagnostic], root: SourceRoot) -> str:
    """A list of the problems; those of a whole file are at its first line, as GitLab requires one."""
    found = [
        {
            "description": visible(f"{item.message} {item.hint}".strip()),
            "check_name": item.rule,
            "fingerprint": mark,
            "severity": _SEVERITIES[item.severity],
            "location": {
                "path": visible(root.path(item.file)) or ".",
                "lines": {"begin": max(item.line, 1)},
            },
        }
        for item, mark in zip(problems, fingerprints(problems, root), strict=True)
    ]
    return escape_commands(json.dumps(found, indent=2, ensure_ascii=False))
