"""The URLs of the project in the metadata of a build: those of the repository that makes the release.

The source names no place of its own, so that a fork does not send its users elsewhere. The release workflow sets
PROJECT_URL; without it there are none.
"""

from __future__ import annotations

import os
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class ProjectUrls(MetadataHookInterface):
    """Adds ``[project.urls]``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the URLs, if the place is known."""
        place = os.environ.get("PROJECT_URL", "").rstrip("/")
        if not place.startswith("https://"):
            metadata["urls"] = {}
            return
        metadata["urls"] = {
            "Source": place,
            "Documentation": f"{place}/tree/main/docs",
            "Changelog": f"{place}/blob/main/CHANGELOG.md",
            "Issues": f"{place}/issues",
        }
