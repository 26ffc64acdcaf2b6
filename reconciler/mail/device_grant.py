"""The device grant, on Authlib (RFC 8628): a person grants access in a browser, on any machine.

Only a code and a URL of an answer are shown, after their format is checked.
"""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE
from msgspec import Struct

from reconciler.mail.faults import MailFault, OutOfOrder, ProtocolViolation, TokenFault
from reconciler.mail.grants import client_of, issued_of
from reconciler.secrets.base import Secret

if TYPE_CHECKING:
    from reconciler.mail.grants import Issued, Request
    from reconciler.mail.https import Https

_USER_CODE: Final = re.compile(r"[A-Za-z0-9-]{4,20}")
_ADDRESS: Final = re.compile(r"https://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._/-]*)?")
_LONGEST: Final = 3600
"""The maximum validity of a code in seconds."""

_INTERVAL: Final = 5
"""The polling interval in seconds if the server sets none (RFC 8628 section 3.2), and the increase on
slow_down (section 3.5)."""

_SLOWEST: Final = 60


class DeviceCode(Struct, frozen=True):
    """The code to enter, where, and its validity in seconds; ``interval`` is the polling interval."""

    user_code: str
    address: str
    seconds: int
    interval: int
    device_code: Secret


def begin(request: Request, endpoint: str, scopes: tuple[str, ...], http: Https) -> DeviceCode:
    """Ask for a code; raises TokenFault if it is refused, and faults of the connection as they are."""
    form = {"client_id": request.oauth2.client_id or "", "scope": " ".join(scopes)}
    response = http.request("POST", endpoint, form)
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        response.raise_for_status()
        raise ProtocolViolation("The server issued no code.")
    if answer.get("error"):
        raise _refused(request, str(answer["error"]), str(answer.get("error_description") or ""))
    return _read(answer)


def ask(request: Request, code: DeviceCode, http: Https) -> Issued | int:
    """Poll once: return the issued tokens, or by how many seconds to increase the interval.

    Raises TokenFault if access was denied or the code has expired, and faults of the connection as they
    are.
    """
    try:
        answer = client_of(request, http).fetch_token(
            request.endpoint,
            grant_type=DEVICE_CODE_GRANT_TYPE,
            device_code=code.device_code.reveal(),
        )
    except OAuth2Error as error:
        if error.error == "authorization_pending":
            return 0
        if error.error == "slow_down":
            return _INTERVAL
        raise _refused(request, str(error.error), str(error.description or "")) from None
    except OutOfOrder:
        return _INTERVAL
    except (MailFault, ssl.SSLError):
        raise
    except Exception as error:  # noqa: BLE001 - its frames hold the code, and the client's secret
        what = type(error).__name__
        raise TokenFault(request.host, f"the answer cannot be read ({what})") from None
    return issued_of(answer)


def _refused(request: Request, error: str, description: str) -> TokenFault:
    return TokenFault(request.host, "the request was refused", error=error, description=description)


def _read(answer: dict[str, Any]) -> DeviceCode:
    # Google uses verification_url, like an early draft of the RFC.
    address = str(answer.get("verification_uri") or answer.get("verification_url") or "")
    user_code, device_code = str(answer.get("user_code") or ""), answer.get("device_code")
    if not isinstance(device_code, str) or not device_code or not _USER_CODE.fullmatch(user_code):
        raise ProtocolViolation("The server issued no code.")
    if not _ADDRESS.fullmatch(address) or not urlsplit(address).hostname:
        raise ProtocolViolation("The server names no page where to enter the code.")
    return DeviceCode(
        user_code,
        address,
        _number(answer.get("expires_in"), 1, _LONGEST, _LONGEST),
        _number(answer.get("interval"), 1, _SLOWEST, _INTERVAL),
        Secret(device_code),
    )


def _number(value: object, least: int, most: int, default: int) -> int:
    if not isinstance(value, (int, str)) or not str(value).isdecimal():
        return default
    return max(least, min(int(value), most))
