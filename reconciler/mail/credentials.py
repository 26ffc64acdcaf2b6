"""Credentials, and how each SASL mechanism encodes them (RFC 4422)."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.mail.faults import NoMechanism, Unsendable

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.secrets.base import Secret


class Password(Struct, frozen=True):
    """A user name and a password."""

    username: str
    password: Secret


class BearerToken(Struct, frozen=True):
    """A user name and an OAuth 2.0 access token."""

    username: str
    token: Secret


Credential = Password | BearerToken
"""Every kind of credential."""

_TOKEN_MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
"""XOAUTH2 first: Exchange Online supports no other, and servers with both answer it more clearly."""


def choose(
    credential: Credential, offered: Collection[str], *, encrypted: bool, known: tuple[str, ...]
) -> str:
    """Pick the one mechanism to sign in with; ``known`` holds those that the caller supports.

    There is no second try: each would count as a failed login for a wrong password, and accounts get
    locked. Within TLS, plain ones come first, because they work with every password and every way to
    store it; without TLS, the password should not be sent in the clear.

    Raises NoMechanism.
    """
    mechanisms: tuple[str, ...]
    if isinstance(credential, BearerToken):
        mechanisms = _TOKEN_MECHANISMS
    elif not is_ascii(credential):
        # Only PLAIN has a defined encoding (RFC 4616: UTF-8); LOGIN uses the same octets.
        mechanisms = ("PLAIN", "LOGIN")
    elif encrypted:
        mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5")
    else:
        mechanisms = ("CRAM-MD5", "PLAIN", "LOGIN")
    upper = {name.upper() for name in offered}
    for mechanism in mechanisms:
        if mechanism in upper and mechanism in known:
            return mechanism
    raise NoMechanism(
        "The server and the connector have no sign-in mechanism in common.", tuple(sorted(upper))
    )


def is_ascii(credential: Password) -> bool:
    """Whether mechanisms without a defined encoding can carry it."""
    return credential.username.isascii() and credential.password.reveal().isascii()


def check_sendable(credential: Credential) -> None:
    """Raise Unsendable if user name or secret would end a line or a field early."""
    secret = credential.password if isinstance(credential, Password) else credential.token
    if any(character in credential.username for character in "\0\r\n\x01"):
        raise Unsendable("The user name holds a control character.")
    if any(character in secret.reveal() for character in "\0\r\n"):
        raise Unsendable("The secret holds a line break or a NUL character.")


def initial_response(mechanism: str, credential: Credential) -> bytes | None:
    """The initial response of a mechanism, before base64; None if the server speaks first."""
    user = credential.username
    if isinstance(credential, BearerToken):
        token = credential.token.reveal()
        if mechanism == "OAUTHBEARER":  # RFC 7628 section 3.1
            name = user.replace("=", "=3D").replace(",", "=2C")
            return f"n,a={name},\x01auth=Bearer {token}\x01\x01".encode()
        return f"user={user}\x01auth=Bearer {token}\x01\x01".encode()
    if mechanism == "PLAIN":
        return f"\0{user}\0{credential.password.reveal()}".encode()
    return None


class Dialogue:
    """The client's side of one exchange; ``challenge`` is the last one of a failed token exchange."""

    __slots__ = ("_credential", "_mechanism", "_pending", "_steps", "challenge")

    def __init__(self, mechanism: str, credential: Credential) -> None:
        self._mechanism = mechanism
        self._credential = credential
        self._pending = initial_response(mechanism, credential)
        self._steps = 0
        self.challenge = ""

    def __repr__(self) -> str:
        return f"Dialogue({self._mechanism})"

    def start(self) -> str | None:
        """Return the initial response to send with the command, in base64, if there is one."""
        first, self._pending = self._pending, None
        return None if first is None else base64.b64encode(first).decode()

    def answer(self, challenge: bytes) -> str | None:
        """The answer in base64 to a challenge in base64; None to give up.

        The challenges of LOGIN are arbitrary prompts, not always in base64: they come in a fixed order,
        user name and password, and are ignored. Raises ValueError if another one is not base64.
        """
        if self._pending is not None:
            return self.start()
        prompts = self._mechanism == "LOGIN"
        decoded = b"" if prompts else base64.b64decode(challenge, validate=True)
        self._steps += 1
        credential = self._credential
        if isinstance(credential, BearerToken) and self._steps == 1:
            self.challenge = decoded.decode("utf-8", "replace")
            # RFC 7628 section 3.2.3: a lone ^A; with XOAUTH2 an empty line.
            return "AQ==" if self._mechanism == "OAUTHBEARER" else ""
        if isinstance(credential, Password):
            answer = self._password_answer(credential, decoded)
            return None if answer is None else base64.b64encode(answer).decode()
        return None

    def _password_answer(self, credential: Password, challenge: bytes) -> bytes | None:
        if self._mechanism == "LOGIN" and self._steps <= 2:  # noqa: PLR2004 - user name, password
            text = credential.username if self._steps == 1 else credential.password.reveal()
            return text.encode()
        if self._mechanism == "CRAM-MD5" and self._steps == 1:  # RFC 2195
            key = credential.password.reveal().encode()
            return f"{credential.username} {hmac.new(key, challenge, 'md5').hexdigest()}".encode()
        return None
