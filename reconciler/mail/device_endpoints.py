"""The device authorization endpoints (RFC 8628) of known token endpoints."""

from __future__ import annotations

import re
from typing import Final

_MICROSOFT: Final = re.compile(r"(https://[^/?#@]+/[^/?#]+/oauth2/v2\.0)/token")
_GOOGLE: Final = "https://oauth2.googleapis.com/token"
_GOOGLE_DEVICES: Final = "https://oauth2.googleapis.com/device/code"


def device_endpoint(token_endpoint: str | None) -> str | None:
    """Return the device endpoint for a token endpoint; None unless it is Microsoft's or Google's."""
    if token_endpoint == _GOOGLE:
        return _GOOGLE_DEVICES
    match = _MICROSOFT.fullmatch(token_endpoint or "")
    return f"{match[1]}/devicecode" if match else None
