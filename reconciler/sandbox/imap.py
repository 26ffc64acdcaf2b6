"""The IMAP server of the sandbox: pymap, with the accounts of the connectors in its memory."""

from __future__ import annotations

import logging
from argparse import Namespace
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from proxyprotocol.noop import ProxyProtocolNoop
from proxyprotocol.sock import SocketInfoLocal
from pymap.backend.dict import Config, Identity, Login
from pymap.backend.dict import Session as DictSession
from pymap.concurrent import Subsystem
from pymap.exceptions import AuthorizationFailure, InvalidAuth
from pymap.imap import IMAPServer
from pysasl import SASLAuth
from pysasl.creds.external import ExternalCredentials, ExternalVerificationRequired
from pysasl.hashing import Cleartext
from pysasl.identity import Identity as SaslIdentity
from pysasl.mechanism import ChallengeResponse, ServerChallenge
from pysasl.mechanism.login import LoginMechanism
from pysasl.mechanism.oauth import OAuth2Mechanism
from pysasl.mechanism.plain import PlainMechanism

from reconciler.model.connector import Security
from reconciler.sandbox.accounts import username_key
from reconciler.sandbox.listening import Conversation
from reconciler.sandbox.tokens import REFUSAL, parse_response

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from pymap.interfaces.login import IdentityInterface
    from pymap.selected import SelectedMailbox
    from pysasl.creds.server import ServerCredentials

    from reconciler.sandbox.accounts import Listener, Reader
    from reconciler.sandbox.delivery import Store
    from reconciler.sandbox.journal import SandboxLog
    from reconciler.sandbox.tokens import Tokens

# On DEBUG pymap logs every line, LOGIN with its password among them.
logging.getLogger("pymap").setLevel(logging.INFO)


class ImapService:
    """One host's IMAP server: makes the protocol of each connection."""

    def __init__(
        self,
        listener: Listener,
        *,
        readers: Iterable[Reader],
        stores: Mapping[str, Store],
        tokens: Tokens,
        context: ssl.SSLContext,
        journal: SandboxLog,
    ) -> None:
        users = {reader.username: reader for reader in readers}
        config = _Config(listener, context, _XOAuth2(users, tokens))
        self._server = IMAPServer(_Login(config, users, stores, tokens), config)
        self._journal = journal

    def protocol(self, lost: asyncio.Event) -> asyncio.StreamReaderProtocol:
        """Make the protocol of a new connection, which sets ``lost`` when the connection is over."""
        return Conversation(self._converse, lost)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._server(
                reader, cast("asyncio.StreamWriter", _Replies(writer)), _Peer(writer)
            )
        except (OSError, EOFError):
            pass  # the client disconnected early, as clients do
        except Exception as error:  # noqa: BLE001 - whatever pymap stumbled over, the others go on
            self._journal.note_fault("IMAP", error)


class _Replies:
    """Sends each reply whole. pymap writes them in pieces, and clients in IDLE stumble over those."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._pending = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def write(self, octets: bytes) -> None:
        self._pending += octets

    async def drain(self) -> None:
        whole, self._pending = bytes(self._pending), bytearray()
        self._writer.write(whole)
        await self._writer.drain()


class _Peer(SocketInfoLocal):
    """A connection's state. pymap accepts passwords from its own machine before STARTTLS; we do not."""

    @property
    def from_localhost(self) -> bool:
        return False


class _Config(Config):
    def __init__(self, listener: Listener, context: ssl.SSLContext, xoauth2: _XOAuth2) -> None:
        super().__init__(
            Namespace(),
            demo_data=False,
            demo_user="",
            demo_password="",
            host=None,
            port=listener.port,
            ssl_context=context,
            tls_enabled=listener.security is Security.STARTTLS,
            subsystem=Subsystem.for_asyncio(),
            cpu_subsystem=Subsystem.for_asyncio(),
            hash_context=Cleartext(),
            proxy_protocol=ProxyProtocolNoop(),
        )
        self._host = listener.host
        self._mechanisms = SASLAuth([PlainMechanism(), LoginMechanism(), xoauth2])

    @property
    def greeting(self) -> bytes:
        return f"reconciler sandbox in place of {self._host}".encode()

    @property
    def tls_auth(self) -> SASLAuth:
        return self._mechanisms


class _XOAuth2(OAuth2Mechanism):
    """Explains to a client why its token is refused, before the NO."""

    def __init__(self, users: Mapping[str, Reader], tokens: Tokens) -> None:
        super().__init__()
        self._users = users
        self._tokens = tokens

    def server_attempt(
        self, responses: Sequence[ChallengeResponse]
    ) -> tuple[ExternalCredentials, None]:
        credentials, final = super().server_attempt(responses)
        if len(responses) == 1:
            claim = parse_response(responses[0].response)
            user = None if claim is None else self._users.get(username_key(claim[0]))
            if claim is None or user is None or not self._tokens.open(user.account, claim[1]):
                raise ServerChallenge(REFUSAL)
        return credentials, final


class _Login(Login):
    def __init__(
        self,
        config: _Config,
        users: Mapping[str, Reader],
        stores: Mapping[str, Store],
        tokens: Tokens,
    ) -> None:
        super().__init__(config)
        self._users = users
        self._stores = stores
        self._issued = tokens

    async def authenticate(self, credentials: ServerCredentials) -> Identity:
        external = isinstance(credentials, ExternalCredentials)
        claimed = credentials.authzid if external else credentials.authcid
        user = self._users.get(username_key(claimed))
        if user is None or not _proves(credentials, user, self._issued):
            raise InvalidAuth
        return _Identity(claimed, self, self._stores[user.mailbox])

    async def authorize(self, authenticated: IdentityInterface, authzid: str) -> Identity:
        # No user may act for another here (RFC 4422 section 3.4.1).
        same = username_key(authenticated.name) == username_key(authzid)
        if not same or not isinstance(authenticated, _Identity):
            raise AuthorizationFailure
        return authenticated


class _Identity(Identity):
    def __init__(self, name: str, login: _Login, store: Store) -> None:
        super().__init__(name, login, None, frozenset())
        self._store = store

    @asynccontextmanager
    async def new_session(self) -> AsyncIterator[DictSession]:
        yield _Session(self.name, self.config, self._store)


class _Session(DictSession):
    def __init__(self, owner: str, config: Config, store: Store) -> None:
        super().__init__(owner, config, store.folders, store.filters)
        self._special = {
            store.mailbox.sent_folder: b"Sent",
            "Drafts": b"Drafts",
            "Trash": b"Trash",
        }

    async def list_mailboxes(
        self,
        ref_name: str,
        filter_: str,
        subscribed: bool = False,  # noqa: FBT001, FBT002 - pymap's own signature
        selected: SelectedMailbox | None = None,
    ) -> tuple[
        Iterable[tuple[str, str | None, Sequence[bytes]]],
        SelectedMailbox | None,
    ]:
        """List folders, with their special use (RFC 6154 section 2)."""
        found, updates = await super().list_mailboxes(ref_name, filter_, subscribed, selected)
        marked = [
            (
                name,
                delimiter,
                [*attributes, self._special[name]] if name in self._special else attributes,
            )
            for name, delimiter, attributes in found
        ]
        return marked, updates


class _Claim(SaslIdentity):
    """A user in the form in which pysasl compares passwords."""

    def __init__(self, user: Reader) -> None:
        self._user = user

    @property
    def authcid(self) -> str:
        return self._user.username

    def compare_authcid(self, authcid: str) -> bool:
        return username_key(authcid) == self._user.username

    def compare_secret(self, secret: str) -> bool:
        return self._user.credentials.accept_password(secret.encode("utf-8", "surrogateescape"))

    def get_clear_secret(self) -> None:
        return None


def _proves(credentials: ServerCredentials, user: Reader, tokens: Tokens) -> bool:
    try:
        return credentials.verify(_Claim(user))
    except ExternalVerificationRequired as required:
        token = required.token or ""
        return tokens.open(user.account, token.encode("utf-8", "surrogateescape"))
