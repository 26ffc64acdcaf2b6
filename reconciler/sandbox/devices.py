"""Logins with a code in the sandbox (RFC 8628).

Nobody has a browser there, so the second question finds it entered.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from reconciler.mail.device_endpoints import device_endpoint
from reconciler.model.connector import Grant
from reconciler.sandbox.answer import Answer
from reconciler.sandbox.tokens import made_up_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.sandbox.accounts import RegisteredClient

DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"

_LIFETIME: Final = 900
_PAGES: Final = {
    "oauth2.googleapis.com": ("verification_url", "https://www.google.com/device"),
}
_PAGE: Final = ("verification_uri", "https://microsoft.com/devicelogin")


def device_path(application: RegisteredClient) -> str:
    """Return the device endpoint of an application; "" if it has none."""
    if application.grant is not Grant.REFRESH_TOKEN:
        return ""
    endpoint = device_endpoint(application.endpoint) or ""
    return "/" + endpoint.removeprefix("https://").partition("/")[2] if endpoint else ""


class Devices:
    """The issued codes, and how often each was polled."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[RegisteredClient, int]] = {}

    def code(self, applications: tuple[RegisteredClient, ...], form: Mapping[str, str]) -> Answer:
        """Issue a code to the requesting application."""
        client_id = form.get("client_id", "")
        found = next((item for item in applications if item.client_id == client_id), None)
        if found is None:
            return Answer(400, {"error": "unauthorized_client"})
        device_code = made_up_token()
        self._waiting[device_code] = (found, 0)
        field, page = _PAGES.get(found.host, _PAGE)
        letters = "".join(secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(8))
        return Answer(
            200,
            {
                "device_code": device_code,
                "user_code": f"{letters[:4]}-{letters[4:]}",
                field: page,
                "expires_in": _LIFETIME,
                "interval": 1,
            },
        )

    def ask(self, form: Mapping[str, str]) -> RegisteredClient | str:
        """Return the application of an entered code, or the error that says why not."""
        device_code = form.get("device_code", "")
        found = self._waiting.get(device_code)
        if found is None or found[0].client_id != form.get("client_id"):
            return "invalid_grant"
        application, asked = found
        if not asked:
            self._waiting[device_code] = (application, 1)
            return "authorization_pending"
        del self._waiting[device_code]
        return application
