"""Documents for machines as JSON text."""

from __future__ import annotations

import json

from reconciler.model.resource import to_plain


def to_json(document: object) -> str:
    """Indented JSON of any document type, in UTF-8, nulls included."""
    return json.dumps(to_plain(document, nulls=True), indent=2, ensure_ascii=False)
