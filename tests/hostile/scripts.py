"""Scripts: an IMAP and an SMTP server that are correct except for what a test breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ssl

    from tests.hostile.server import Peer, Script

Answer = str | bytes | Callable[["Peer", str], None]
"""What is sent for a command, with ``{tag}`` for its tag; or a function of its arguments."""

CAPABILITIES = "IMAP4rev1 SASL-IR AUTH=PLAIN NAMESPACE"


def hold(peer: Peer, _: str) -> None:
    """Answer nothing at all."""
    peer.hold()


def hang_up(_peer: Peer, _: str) -> None:
    """Close the connection without an answer."""
    from tests.hostile.server import Gone

    raise Gone


def imap(context: ssl.SSLContext | None = None, /, **answers: Answer) -> Script:
    """An IMAP server; ``context`` is used for STARTTLS."""
    known: dict[str, Answer] = {
        "greeting": f"* OK [CAPABILITY {CAPABILITIES}] ready\r\n",
        "CAPABILITY": f"* CAPABILITY {CAPABILITIES}\r\n{{tag}} OK done\r\n",
        "AUTHENTICATE": f"{{tag}} OK [CAPABILITY {CAPABILITIES}] welcome\r\n",
        "LOGIN": f"{{tag}} OK [CAPABILITY {CAPABILITIES}] welcome\r\n",
        "NAMESPACE": '* NAMESPACE (("" "/")) NIL NIL\r\n{tag} OK done\r\n',
        "LIST": '* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Sent\r\n{tag} OK done\r\n',
        "EXAMINE": "* 3 EXISTS\r\n{tag} OK [READ-ONLY] done\r\n",
        **answers,
    }

    def script(peer: Peer) -> None:
        _reply(peer, known["greeting"], "")
        while True:
            tag, _, rest = peer.line().partition(" ")
            verb, _, arguments = rest.partition(" ")
            if verb == "LOGOUT":
                return  # no answer is expected
            if verb == "STARTTLS" and context is not None and verb not in answers:
                peer.send(f"{tag} OK go ahead\r\n")
                peer.start_tls(context)
                continue
            _reply(peer, known.get(verb, "{tag} BAD what?\r\n"), arguments, tag)

    return script


def smtp(context: ssl.SSLContext | None = None, /, **answers: Answer) -> Script:
    """A submission server; ``context`` is used for STARTTLS."""
    known: dict[str, Answer] = {
        "greeting": "220 hostile.example ESMTP\r\n",
        "EHLO": "250-hostile.example\r\n250-SIZE 10000000\r\n250 AUTH PLAIN LOGIN\r\n",
        "AUTH": "235 2.7.0 welcome\r\n",
        "MAIL": "250 2.1.0 ok\r\n",
        "RCPT": "250 2.1.5 ok\r\n",
        "RSET": "250 2.0.0 ok\r\n",
        **answers,
    }

    def script(peer: Peer) -> None:
        _reply(peer, known["greeting"], "")
        while True:
            verb, _, arguments = peer.line().partition(" ")
            verb = verb.upper()
            if verb == "QUIT":
                return  # no answer is expected
            if verb == "STARTTLS" and context is not None and verb not in answers:
                peer.send("220 2.0.0 go ahead\r\n")
                peer.start_tls(context)
                continue
            _reply(peer, known.get(verb, "502 5.5.1 what?\r\n"), arguments)

    return script


def in_turn(*scripts: Script) -> Script:
    """The first script for the first client, and so on; the last one for all others."""
    return lambda peer: scripts[min(peer.number, len(scripts)) - 1](peer)


def _reply(peer: Peer, answer: Answer, arguments: str, tag: str = "") -> None:
    if callable(answer):
        answer(peer, arguments)
    elif isinstance(answer, bytes):
        peer.send(answer.replace(b"{tag}", tag.encode()))
    else:
        peer.send(answer.replace("{tag}", tag))


def append(answer: Answer) -> Answer:
    """Read the message to append, and answer."""

    def command(peer: Peer, arguments: str) -> None:
        tag = peer.lines[-1].partition(" ")[0]
        size = int(arguments.rpartition("{")[2].rstrip("}+"))
        peer.send("+ go ahead\r\n")
        while size > 0:
            size -= len(peer.line().encode()) + 2
        peer.line()  # the end of the command
        if callable(answer):
            answer(peer, arguments)
        else:
            peer.send(str(answer).replace("{tag}", tag))

    return command


SELECTED: Final = {
    "SELECT": "* 3 EXISTS\r\n{tag} OK [READ-WRITE] done\r\n",
    "SEARCH": "* SEARCH\r\n{tag} OK done\r\n",
    "UID": "* SEARCH\r\n{tag} OK done\r\n",
    "NOOP": "{tag} OK done\r\n",
    "UNSELECT": "{tag} OK done\r\n",
    "CLOSE": "{tag} OK done\r\n",
}


def takes(*answers: str | Answer) -> Answer:
    """Read the text to its final dot, and give one of these answers after the other for each mail."""
    rest = list(answers)

    def data(peer: Peer, arguments: str) -> None:
        peer.send("354 go ahead\r\n")
        while peer.line() != ".":
            pass
        answer = rest.pop(0) if len(rest) > 1 else rest[0]
        if callable(answer):
            answer(peer, arguments)
        else:
            peer.send(answer)

    return data


def says(**replies: str) -> Answer:
    """Answer RCPT by the local part of the address; other addresses are accepted."""

    def recipient(peer: Peer, arguments: str) -> None:
        name = arguments.removeprefix("TO:<").partition("@")[0]
        peer.send(replies.get(name, "250 2.1.5 ok\r\n"))

    return recipient


QUEUED: Final = takes("250 2.0.0 queued\r\n")
