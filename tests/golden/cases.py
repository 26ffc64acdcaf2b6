"""What is rendered: one function for each golden file, from values alone."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from reconciler.apply.authorise import denials
from reconciler.connection.failure import ErrorClass
from reconciler.connection.observed import Observed
from reconciler.model.connector import Connector
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.protocol import Protocol
from reconciler.plan.document import to_document
from reconciler.plan.inputs import BaseCommit
from reconciler.plan.value_source import ParameterSource, ResourceSource, ValueSource
from reconciler.probe.drift import Checked, Facts, Known, check
from reconciler.probe.report import report
from reconciler.render.drift import drift_document, drift_text
from reconciler.render.formats import OutputFormat
from reconciler.render.human.plan import plan_text
from reconciler.render.human.tests import result_text, summary
from reconciler.render.json import to_json
from reconciler.render.junit import junit
from reconciler.render.plan import PlanOutcome
from reconciler.render.plan import planned as with_denials
from reconciler.render.pull_request import plan_comment
from reconciler.render.route import route_text
from reconciler.render.sent import prepared_text, sent_text
from reconciler.render.terminal import Style
from reconciler.routing.decide import route
from reconciler.routing.index import RoutingIndex
from reconciler.routing.request import Route, RouteRequest
from reconciler.sending.compose import compose
from reconciler.sending.message import Message, Stamp
from reconciler.sending.outcome import Copy, CopyStatus, RefusedRecipient, Sent
from reconciler.values import replace
from tests.builders import (
    FAILED,
    NOON,
    PASSED,
    connector,
    group,
    groups,
    moved,
    permissions,
    planned,
    receiving,
    result,
    roles,
    snapshot,
    stored,
    users,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import LastTest
    from reconciler.plan.planner import Plan
    from reconciler.probe.result import ConnectorResult
    from reconciler.render.formats import DriftFormat, TextOrJson

CASES: Final[dict[str, Callable[[], str]]] = {}
PLAIN: Final = Style(colour=False, width=100)
NARROW: Final = Style(colour=False, width=50)
COLOURED: Final = Style(colour=True, width=100)

_STAFF = group("hr", "ada@contoso.example", "grace@contoso.example")
_BEFORE: Final[tuple[Resource, ...]] = (
    roles("root@contoso.example", internal=("contoso.example",)),
    _STAFF,
    connector("info"),
    connector("payroll"),
    connector("no-reply"),
    receiving("invoices"),
    permissions("payroll", users=groups("hr")),
)


def case(name: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Give a rendering the name of its file."""

    def keep(rendered: Callable[[], str]) -> Callable[[], str]:
        CASES[name] = rendered
        return rendered

    return keep


def _everything() -> Plan:
    """A plan with a change of every sort that can be made in one apply."""
    return planned(
        stored(*_BEFORE),
        roles("root@contoso.example", internal=("contoso.example",)),
        group("hr", "ada@contoso.example", "joan@contoso.example"),
        replace(connector("info"), display_name="Enquiries 📬"),
        moved(replace(connector("payroll"), labels=("hr",)), server="mail.elsewhere.example"),
        connector("no-reply"),
        connector("support", draft=True),
        permissions("payroll", users=groups("hr"), administrators=users("ada@contoso.example")),
        GlobalSmtpPolicy(enabled=True, connector="no-reply", save_to_sent_items=True),
        rules=(),
    )


@case("plan.txt")
def plan_of_everything() -> str:
    return plan_text(_everything(), PLAIN)


def _against_a_commit() -> Plan:
    """The same without a state: the difference to a commit."""
    commit = BaseCommit("origin/main", "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567")
    return replace(_everything(), base=commit)


@case("plan-base.txt")
def plan_against_a_commit() -> str:
    return plan_text(_against_a_commit(), PLAIN)


@case("plan-base.md")
def plan_against_a_commit_as_a_comment() -> str:
    return plan_comment(PlanOutcome(plan=_against_a_commit(), actor="grace@contoso.example"))


@case("plan-narrow.txt")
def plan_on_a_narrow_terminal() -> str:
    return plan_text(_everything(), NARROW)


@case("plan-colour.txt")
def plan_on_a_terminal_with_colours() -> str:
    return plan_text(_everything(), COLOURED)


@case("plan-denied.txt")
def plan_for_somebody_who_may_not() -> str:
    plan = _everything()
    denied = denials(plan.changes, stored(*_BEFORE), "grace@contoso.example")
    return with_denials(
        PlanOutcome(plan=plan, denials=denied, actor="grace@contoso.example"),
        OutputFormat.HUMAN,
        PLAIN,
    )


@case("plan.md")
def plan_on_a_pull_request() -> str:
    plan = _everything()
    denied = denials(plan.changes, stored(*_BEFORE), "grace@contoso.example")
    return plan_comment(PlanOutcome(plan=plan, denials=denied, actor="grace@contoso.example"))


@case("plan.json")
def plan_for_machines() -> str:
    return to_json(to_document(_everything()))


@case("plan-template.txt")
def plan_of_a_changed_template() -> str:
    """A template changes, so does a row, and a connector has its own value."""
    names = ("berlin", "hamburg", "paris", "rome")
    before = [connector(name, display_name=f"Shop {name.title()}") for name in names]
    after = [
        moved(replace(item, display_name=item.display_name.replace("Shop", "Store")), port=9930)
        for item in before
    ]
    after[3] = replace(after[3], display_name="Store Roma")
    sources = {
        item.address: ResourceSource(
            partial(
                ValueSource,
                file="connectors.d/shops.yaml",
                line=4 + place,
                template="shop",
                table=True,
            ),
            {
                "display_name": ValueSource(
                    file="connectors.d/templates.yaml",
                    line=6,
                    template="shop",
                    parameters=(
                        ParameterSource(
                            name="city", file="connectors.d/shops.yaml", line=4 + place
                        ),
                    ),
                ),
                "imap.port": ValueSource(file="connectors.d/shops.yaml", line=3, table=True),
                "smtp.port": ValueSource(
                    file="connectors.d/providers.yaml", line=9, provider="contoso"
                ),
            },
            expanded=True,
        )
        for place, item in enumerate(after)
    }
    return plan_text(replace(planned(stored(*before), *after), sources=sources), PLAIN)


@case("plan-rename.txt")
def plan_of_a_rename() -> str:
    after = [replace(item, name="people") if item == connector("payroll") else item
             for item in _BEFORE]  # fmt: skip
    configured = [item for item in after if item != permissions("payroll", users=groups("hr"))]
    return plan_text(
        planned(
            stored(*_BEFORE),
            *configured,
            permissions("people", users=groups("hr")),
            renames=(("people", "payroll"),),
        ),
        PLAIN,
    )


@case("plan-empty.txt")
def plan_of_nothing() -> str:
    return plan_text(planned(stored(*_BEFORE), *_BEFORE), PLAIN)


@case("test.txt")
def results_of_tests() -> str:
    results = (
        result("info"),
        result("no-reply", ErrorClass.TIMEOUT),
        result("payroll", ErrorClass.AUTH_REJECTED),
    )
    lines = [result_text(item, PLAIN, width=8) for item in results]
    return "\n".join([*lines, summary(results)])


@case("test.json")
def results_for_machines() -> str:
    return to_json(report((result("info"), result("payroll", ErrorClass.AUTH_REJECTED))))


@case("test.xml")
def results_for_ci_systems() -> str:
    results = (
        result("info"),
        result("no-reply", ErrorClass.TIMEOUT),
        result("payroll", ErrorClass.AUTH_REJECTED),
    )
    return junit(report(results, error="interrupted"))


def _drifted() -> tuple[Checked, ...]:
    soon = Observed(
        tls_version="TLSv1.3",
        certificate_issuer="An authority",
        certificate_expires=NOON + timedelta(days=12, hours=1),
        mechanisms=("PLAIN",),
        capabilities=("IDLE",),
    )
    more = replace(soon, mechanisms=("PLAIN", "XOAUTH2"))
    shown = result("info")
    shown = replace(shown, protocols=(replace(shown.protocols[0], observed=soon),))
    refused = result("payroll", ErrorClass.AUTH_REJECTED)
    still = {Protocol.IMAP: Known("authentication: timeout")}
    since = replace(FAILED, failing_since=NOON - timedelta(days=3))
    compared: tuple[tuple[ConnectorResult, LastTest, Facts], ...] = (
        (shown, PASSED, {Protocol.IMAP: Known("", more)}),
        (result("invoices"), PASSED, {}),
        (result("no-reply", ErrorClass.TIMEOUT), since, still),
        (refused, PASSED, {}),
        (result("support"), FAILED, {}),
    )
    return tuple(check(now, last, facts, now=NOON, cert_days=21) for now, last, facts in compared)


def _drift_text(output_format: DriftFormat) -> str:
    checked = _drifted()
    return drift_text(
        output_format, drift_document(checked, serial=7, cert_days=21), checked, PLAIN
    )


@case("drift.txt")
def what_has_drifted() -> str:
    return _drift_text(OutputFormat.HUMAN)


@case("drift.json")
def what_has_drifted_for_machines() -> str:
    return _drift_text(OutputFormat.JSON)


@case("drift.md")
def what_has_drifted_for_a_comment() -> str:
    return _drift_text(OutputFormat.MARKDOWN)


def _routed(output_format: TextOrJson, *, forced: bool, actor: str) -> str:
    policy = GlobalSmtpPolicy(enabled=forced, connector="no-reply")
    request = RouteRequest(actor=actor, sender="payroll@contoso.example")
    return route_text(
        route(request, RoutingIndex(snapshot(*_BEFORE, policy))), output_format, PLAIN
    )


@case("route.txt")
def a_route() -> str:
    return _routed(OutputFormat.HUMAN, forced=False, actor="ada@contoso.example")


@case("route-forced.txt")
def a_forced_route() -> str:
    return _routed(OutputFormat.HUMAN, forced=True, actor="ada@contoso.example")


@case("route-refused.txt")
def a_refusal() -> str:
    return _routed(OutputFormat.HUMAN, forced=True, actor="clerk@contoso.example")


@case("route.json")
def a_route_for_machines() -> str:
    return _routed(OutputFormat.JSON, forced=True, actor="ada@contoso.example")


def _sent(*, forced: bool = True) -> Sent:
    policy = GlobalSmtpPolicy(enabled=forced, connector="no-reply", save_to_sent_items=True)
    request = RouteRequest(actor="ada@contoso.example", sender="payroll@contoso.example")
    way = route(request, RoutingIndex(snapshot(*_BEFORE, policy)))
    assert isinstance(way, Route)
    return Sent(
        route=way,
        host=f"smtp.{way.connector}.example",
        port=465,
        message_id="<4711@contoso.example>",
        accepted=("grace@x.example",),
        refused=(
            RefusedRecipient("gone@x.example", "550", "5.1.1", "5.1.1 User unknown"),
            RefusedRecipient("busy@x.example", "450", "4.2.1", "4.2.1 Try again later"),
        )
        if forced
        else (),
        size=48_112,
        reply="250 2.0.0 queued",
        copy=Copy(CopyStatus.FAILED, "Sent", "The mailbox is full.")
        if forced
        else Copy(CopyStatus.APPENDED, "Sent"),
        at=NOON,
    )


@case("send.txt")
def a_mail_that_was_sent() -> str:
    return sent_text(_sent(forced=False), OutputFormat.HUMAN, PLAIN)


@case("send-partly.txt")
def a_forced_mail_that_some_did_not_get() -> str:
    return sent_text(_sent(), OutputFormat.HUMAN, PLAIN)


@case("send-partly.json")
def the_same_for_machines() -> str:
    return sent_text(_sent(), OutputFormat.JSON, PLAIN)


@case("send-dry-run.txt")
def a_mail_that_would_be_sent() -> str:
    message = Message(
        to=('"Lovelace, Ada" <ada@x.example>',),
        bcc=("eve@x.example",),
        subject="Grüße \N{PARTY POPPER}",
        text="Hello.\n.\n",
    )
    carrier = next(item for item in _BEFORE if isinstance(item, Connector))
    mail = compose(message, _sent().route, carrier, Stamp("4711", NOON))
    return prepared_text(mail, OutputFormat.HUMAN, PLAIN)
