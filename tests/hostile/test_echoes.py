"""Nothing that a server repeats, in any encoding, reaches a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.connection.failure import Stage
from reconciler.connection.options import ProbeOptions
from reconciler.mail.redaction import HIDDEN
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from reconciler.probe.report import report
from reconciler.probe.result import ConnectorResult
from reconciler.render.human.tests import result_text
from reconciler.render.json import to_json
from reconciler.render.junit import junit
from reconciler.render.terminal import Style
from reconciler.values import replace
from tests.builders import NOON
from tests.echoes import COVERED, NOT_COVERED, pieces
from tests.hostile.conftest import PASSWORD
from tests.hostile.scripts import imap, smtp

if TYPE_CHECKING:
    from tests.hostile.conftest import Attack, Found
    from tests.hostile.server import Script

IMAP, SMTP = Protocol.IMAP, Protocol.SMTP
EVERY_ENCODING = {**COVERED, **NOT_COVERED}

SIGN_INS = {
    (SMTP, "AUTH"): "535 5.7.8 wrong: {echo}\r\n",
    (IMAP, "AUTHENTICATE"): "{tag} NO [AUTHENTICATIONFAILED] wrong: {echo}\r\n",
}
"""Answers to a sign-in: only their known words are shown."""

OTHERS = {
    (SMTP, "MAIL"): "550 5.7.1 not for {echo}\r\n",
    (SMTP, "RCPT"): "550 5.1.1 unknown: {echo}\r\n",
    (IMAP, "NAMESPACE"): "{tag} NO not for {echo}\r\n",
    (IMAP, "LIST"): '* LIST (\\Sent) "/" "{echo}"\r\n{tag} OK done\r\n',
    (IMAP, "EXAMINE"): "{tag} NO [NONEXISTENT] {echo}\r\n",
}
"""Other answers after a sign-in, where encodings are recognised."""

ANSWERS = {**SIGN_INS, **OTHERS}


def script(protocol: Protocol, command: str, echo: str) -> Script:
    answer = ANSWERS[protocol, command].replace("{echo}", echo)
    return (imap if protocol is IMAP else smtp)(None, **{command: answer})


def reported(found: Found, *, terminal: bool) -> str:
    """Everything that any report says of a result, without the times and the port, which vary.

    A ``terminal`` is shown the server's text as well, in which not every encoding is recognised.
    """
    stages = tuple(replace(stage, seconds=0.0) for stage in found.result.stages)
    tested = replace(found.result, stages=stages, via="")
    result = ConnectorResult("support", NOON, 0.0, (tested,))
    seen = result if terminal else without_server_text(result)
    document = report((result,))
    return " ".join(
        (repr(result), to_json(document), junit(document), result_text(seen, Style(False, 80)))
    )


def without_server_text(result: ConnectorResult) -> ConnectorResult:
    (tested,) = result.protocols
    stages = tuple(
        replace(stage, failure=replace(stage.failure, server_text="")) if stage.failure else stage
        for stage in tested.stages
    )
    return replace(result, protocols=(replace(tested, stages=stages),))


def quotable(echo: str) -> bool:
    """Whether a server can say it on one line, and IMAP between quotes."""
    return echo.isprintable() and not set(echo) & set('"\\\r\n{}')


@pytest.mark.parametrize(("protocol", "command"), ANSWERS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=20),
    data=st.data(),
)
def test_no_part_of_a_secret_reaches_a_report(
    attack: Attack, protocol: Protocol, command: str, secret: str, data: st.DataObject
) -> None:
    encodings = EVERY_ENCODING if (protocol, command) in SIGN_INS else COVERED
    name = data.draw(st.sampled_from(sorted(encodings)))
    echo, terminal = encodings[name](secret), name in COVERED
    if not quotable(echo):
        return
    options = ProbeOptions(timeout=10.0, retries=0, show_server_text=True)
    settings_ = {"security": Security.NONE, "options": options, "password": secret}
    found = attack(protocol, script(protocol, command, echo), **settings_)
    control = attack(protocol, script(protocol, command, "…"), **settings_)
    shown = pieces(reported(found, terminal=terminal))
    ours = pieces(reported(control, terminal=terminal)) | pieces(HIDDEN)
    assert not (pieces(echo) & shown) - ours


@pytest.mark.parametrize("name", COVERED)
def test_an_encoding_that_is_recognised_hides_an_answer(attack: Attack, name: str) -> None:
    echo = COVERED[name](PASSWORD)
    found = attack(SMTP, smtp(RCPT=f"550 5.7.1 unknown: {echo}\r\n"))
    stage, failure = found.failure
    assert (stage, failure.reply) == (Stage.ENVELOPE, HIDDEN)


def test_an_ordinary_answer_is_shown(attack: Attack) -> None:
    found = attack(SMTP, smtp(RCPT="550 5.7.1 <support@hostile.example>: unknown in table\r\n"))
    assert found.failure[1].reply == "550 5.7.1 <support@hostile.example>: unknown in table"
