"""A credential that would go somewhere new is noticed, however it would get there."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.connector import Connector, Grant, MailServer, OAuth2, Security
from reconciler.model.credential_rule import RESERVED_VARIABLES, CredentialRule, is_reserved
from reconciler.model.credential_use import CredentialUse, Destination
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.provider import OAuth2Defaults, Provider, ServerDefaults
from reconciler.model.secret_ref import SecretRef
from reconciler.model.snapshot import Snapshot, StoredState
from reconciler.plan.credentials import NewCredentialUse, new_uses
from reconciler.plan.document import to_document
from reconciler.plan.inputs import Desired, Limits, Overrides
from reconciler.plan.limits import Limit, overriding_options
from reconciler.plan.planner import plan
from reconciler.render.human.impact import new_credential_uses
from reconciler.render.terminal import Style
from reconciler.values import replace
from reconciler.wording import TO_ACT_ON
from tests.builders import EMPTY, application, connector, mail_server, moved, receiving, stored
from tests.builders import planned as planned_with

if TYPE_CHECKING:
    from reconciler.plan.planner import Plan

PASSWORD = SecretRef("env", "INFO_PASSWORD")
INFO = connector("info")


def planned(*arguments: Any, rules: tuple[str, ...] = (), **options: Any) -> Plan:
    """A plan for which the owner has written these credential rules."""
    return planned_with(*arguments, rules=rules, **options)


def refused(made: Plan) -> bool:
    found = [item for item in made.violations if item.limit is Limit.CREDENTIAL]
    assert bool(found) == bool(made.new_credentials)
    return bool(found)


@pytest.mark.parametrize(
    "fields",
    [
        {"server": "evil.example"},
        {"port": 2465},
        {"security": Security.NONE},
        {"security": Security.STARTTLS},
        {"username": "other@contoso.example"},
    ],
)
def test_another_host_port_tls_mode_or_user_under_the_same_reference_is_a_redirect(
    fields: dict[str, Any],
) -> None:
    made = planned(stored(INFO), moved(INFO, **fields))
    assert {(item.connector, item.protocol, item.reference) for item in made.new_credentials} == {
        ("info", "imap", PASSWORD),
        ("info", "smtp", PASSWORD),
    }
    assert refused(made)
    allowed = Overrides(credentials=frozenset({CredentialRule("env:INFO_*")}))
    assert planned(stored(INFO), moved(INFO, **fields), overrides=allowed).violations == ()
    assert planned(stored(INFO), moved(INFO, **fields), rules=("env:INFO_*",)).violations == ()


def at_port(security: str, port: int, **fields: Any) -> Connector:
    """A connector that sends only, with the password of ``INFO``."""
    server = mail_server("info", "smtp", security=Security(security), port=port, **fields)
    return connector("info", imap=None, smtp=server, use_same_credentials=False)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("none", 25), ("starttls", 25)),
        (("none", 25), ("implicit", 465)),
        (("none", 2525), ("starttls", 587)),
        (("none", 587), ("starttls", 587)),
        (("starttls", 587), ("implicit", 465)),
        (("starttls", 2465), ("implicit", 2465)),
    ],
)
def test_stronger_tls_at_the_same_host_and_user_is_not_a_redirect(
    before: tuple[str, int], after: tuple[str, int]
) -> None:
    made = planned(stored(at_port(*before)), at_port(*after))
    assert not made.empty
    assert made.new_credentials == ()
    back = planned(stored(at_port(*after)), at_port(*before))
    assert len(back.new_credentials) == 1
    assert refused(back), "weaker TLS needs approval"


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        (("starttls", 587), ("implicit", 2465), {}),
        (("starttls", 587), ("implicit", 993), {}),
        (("none", 465), ("starttls", 587), {}),
        (("starttls", 25), ("starttls", 587), {}),
        (("implicit", 465), ("implicit", 587), {}),
        (("starttls", 587), ("implicit", 465), {"server": "evil.example"}),
        (("starttls", 587), ("implicit", 465), {"username": "other@contoso.example"}),
    ],
)
def test_all_else_that_comes_with_stronger_tls_is_one(
    before: tuple[str, int], after: tuple[str, int], fields: dict[str, Any]
) -> None:
    assert refused(planned(stored(at_port(*before)), at_port(*after, **fields)))


def test_stronger_tls_for_another_secret_is_a_redirect() -> None:
    other = at_port("implicit", 465, password=SecretRef("env", "CEO_PASSWORD"))
    made = planned(stored(at_port("starttls", 587), connector("ceo")), other, connector("ceo"))
    assert refused(made)


def test_where_another_secret_went_with_weaker_tls_its_holder_may_go() -> None:
    weak = THERE._replace(security="starttls", port=143)
    strong, odd = weak._replace(security="implicit", port=993), THERE._replace(port=994)
    known = CredentialUse(PASSWORD, str(PASSWORD), weak, VALUE)
    own = [CredentialUse(ALIAS, str(ALIAS), place, ANOTHER) for place in (strong, odd)]
    values = ((ALIAS, VALUE),)
    assert judged(reading(ALIAS, strong), known, *own, values=values) == ()
    assert judged(reading(ALIAS, odd), known, *own, values=values)


SHOP = Provider(
    name="shop",
    imap=ServerDefaults(server="imap.shop.example", port=993, security=Security.IMPLICIT),
    oauth2=OAuth2Defaults(token_endpoint="https://login.shop.example/{tenant}/token"),
)


@pytest.mark.parametrize(
    ("pattern", "provider", "server", "allowed"),
    [
        ("provider:shop", "shop", "imap.shop.example", True),
        ("provider:shop", "shop", "IMAP.Shop.example", True),
        ("provider:sh*=*.shop.example", "shop", "imap.shop.example", True),
        ("provider:shop=smtp.*", "shop", "imap.shop.example", False),
        ("provider:shop", "shop", "imap.evil.example", False),
        ("provider:shop", None, "imap.shop.example", False),
        ("provider:other", "shop", "imap.shop.example", False),
        ("provider:*", None, "imap.evil.example", False),
    ],
)
def test_a_pattern_of_a_provider_covers_its_connectors_at_its_hosts(
    pattern: str, provider: str | None, server: str, allowed: bool
) -> None:
    new = receiving("new", provider=provider, imap=mail_server("new", server=server))
    desired = Desired(Snapshot.of((new,)), providers=(SHOP,))
    limits = Limits(credentials=(CredentialRule.parse(pattern),))
    assert (plan(desired, EMPTY, limits).violations == ()) is allowed


def test_a_provider_gives_nothing_of_the_pipeline_and_names_its_token_endpoint() -> None:
    assert SHOP.hosts == {"imap.shop.example", "login.shop.example"}
    server = mail_server(
        "new", server="imap.shop.example", password=SecretRef("env", "GITHUB_TOKEN")
    )
    desired = Desired(
        Snapshot.of((receiving("new", provider="shop", imap=server),)), providers=(SHOP,)
    )
    limits = Limits(credentials=(CredentialRule.parse("provider:shop"),))
    (violation,) = plan(desired, EMPTY, limits).violations
    assert violation.limit is Limit.RESERVED_CREDENTIAL


def test_many_secrets_of_a_provider_are_allowed_by_one_option() -> None:
    many = [
        receiving(f"m{n}", provider="shop", imap=mail_server(f"m{n}", server="imap.shop.example"))
        for n in range(9)
    ]
    made = plan(Desired(Snapshot.of(tuple(many)), providers=(SHOP,)), EMPTY, Limits(credentials=()))
    assert overriding_options(made.violations) == "--allow-credential provider:shop"
    assert overriding_options(made.violations[:1]) == made.violations[0].override


def test_an_override_for_one_reference_does_not_cover_another() -> None:
    a, b = connector("a"), connector("b")
    desired = [moved(item, server="new.example") for item in (a, b)]
    allowed = Overrides(
        credentials=frozenset({CredentialRule("env:A_*"), CredentialRule("unrelated")})
    )
    made = planned(stored(a, b), *desired, overrides=allowed)
    assert [item.override for item in made.violations] == [
        "--allow-credential env:B_PASSWORD=new.example"
    ]


def test_a_rule_for_one_host_does_not_cover_another() -> None:
    there = moved(INFO, server="evil.example")
    assert refused_by(planned(stored(INFO), there, rules=("env:*_PASSWORD=*.contoso.example",)))
    assert not refused_by(planned(stored(INFO), there, rules=("env:*_PASSWORD=EVIL.example.",)))


def refused_by(made: Plan) -> bool:
    return any(item.about_credentials for item in made.violations)


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "RECONCILER_FINGERPRINT_KEY", "GITHUB_TOKEN", "PGPASSWORD"]
)
@pytest.mark.parametrize("pattern", ["*", "env:*", "e*:*", "[e]nv:*", "env:?*"])
def test_a_secret_of_the_pipeline_needs_a_rule_that_names_it(name: str, pattern: str) -> None:
    thief = receiving("thief", imap=mail_server("thief", password=SecretRef("env", name)))
    (violation,) = planned(EMPTY, thief, rules=(pattern,)).violations
    assert violation.limit is Limit.RESERVED_CREDENTIAL
    assert not violation.needs_only_a_person
    assert not violation.needs_only_a_saved_plan
    assert planned(EMPTY, thief, rules=(f"env:{name}=imap.*",)).violations == ()


def test_variables_of_mail_accounts_are_not_reserved() -> None:
    for name in ("SUPPORT_PASSWORD", "PAYROLL_CLIENT_SECRET", "SMTP_TOKEN"):
        assert not is_reserved(SecretRef("env", name))
    assert is_reserved(SecretRef("env", "aws_secret_access_key"))


@given(st.sampled_from(RESERVED_VARIABLES), st.sampled_from(("", "x", "_", "*", "é")))
def test_a_variable_is_reserved_if_a_pattern_matches_it(pattern: str, more: str) -> None:
    for name in (pattern, pattern.removesuffix("*") + more, more + pattern):
        matches = any(fnmatchcase(name.upper(), item) for item in RESERVED_VARIABLES)
        assert is_reserved(SecretRef("env", name)) == matches


def test_two_spellings_of_one_file_are_one_secret() -> None:
    known, other = SecretRef("file", "/run/x/support"), SecretRef("file", "//run/./x/support")
    before = receiving("info", imap=mail_server("info", password=known))
    after = receiving("info", imap=mail_server("info", server="evil.example", password=other))
    paths = ((known, "/run/x/support"), (other, "/run/x/support"))
    made = planned(stored(before), after, real_paths=paths)
    assert refused(made)
    assert [item.host for item in made.new_credentials[0].before] == ["imap.contoso.example"]
    same = receiving("info", imap=mail_server("info", password=other))
    assert planned(stored(before), same, real_paths=paths).new_credentials == ()


def test_the_same_host_in_another_spelling_is_not_a_redirect() -> None:
    assert INFO.imap is not None
    louder = replace(INFO, imap=replace(INFO.imap, server="IMAP.CONTOSO.EXAMPLE"))
    made = planned(stored(INFO), louder)
    assert made.new_credentials == ()
    assert not made.empty


def test_another_reference_at_the_new_place_was_never_sent_anywhere() -> None:
    desired = moved(INFO, server="new.example", password=SecretRef("env", "NEW_PASSWORD"))
    made = planned(stored(INFO), desired)
    assert refused(made)
    assert {item.before for item in made.new_credentials} == {()}


def test_a_new_connector_that_borrows_a_stored_reference_is_a_redirect() -> None:
    thief = receiving("thief", imap=mail_server("thief", server="evil.example", password=PASSWORD))
    made = planned(stored(INFO), INFO, thief)
    assert made.new_credentials == (
        NewCredentialUse(
            "thief",
            "imap",
            PASSWORD,
            (
                Destination("imap.contoso.example", 993, "implicit", "info@contoso.example"),
                Destination("smtp.contoso.example", 465, "implicit", "info@contoso.example"),
            ),
            Destination("evil.example", 993, "implicit", "thief@contoso.example"),
        ),
    )
    assert refused(made)
    assert made.violations[0].message == (
        "thief would send env:INFO_PASSWORD to evil.example for the first time"
    )


def test_a_connector_that_shares_a_reference_and_its_place_is_not_a_redirect() -> None:
    twin = replace(INFO, name="twin")
    assert planned(stored(INFO), INFO, twin).new_credentials == ()


def test_a_rename_does_not_hide_a_redirect() -> None:
    configured = replace(moved(INFO, server="evil.example"), name="other")
    assert refused(planned(stored(INFO), configured, renames=(("other", "info"),)))


def test_references_that_are_swapped_are_redirects_of_both() -> None:
    other = SecretRef("env", "SMTP_PASSWORD")
    split = connector("info", smtp=mail_server("info", "smtp", password=other))
    swapped = connector(
        "info", imap=mail_server("info", password=other), smtp=mail_server("info", "smtp")
    )
    made = planned(stored(split), swapped)
    assert {(item.protocol, item.reference) for item in made.new_credentials} == {
        ("imap", other),
        ("smtp", PASSWORD),
    }


def test_the_first_apply_is_a_decision_too() -> None:
    assert refused(planned(EMPTY, INFO))


def test_a_connector_that_is_recreated_elsewhere_needs_approval() -> None:
    other = connector("other")
    assert refused(planned(stored(other), other, moved(INFO, server="evil.example")))


# --- drafts ---------------------------------------------------------------------------------------


def test_a_draft_sends_nothing_so_it_redirects_nothing() -> None:
    draft = replace(moved(INFO, server="evil.example"), draft=True)
    assert planned(stored(INFO), draft).new_credentials == ()


def test_a_draft_that_is_completed_sends_its_reference_for_the_first_time() -> None:
    draft = receiving("new", draft=True, imap=MailServer(password=SecretRef("env", "NEW")))
    ready = receiving("new", imap=mail_server("new", password=SecretRef("env", "NEW")))
    assert refused(planned(stored(INFO, draft), INFO, ready))


def test_a_draft_that_is_completed_with_the_reference_of_another_does() -> None:
    draft = receiving("new", draft=True, imap=MailServer(password=PASSWORD))
    ready = receiving("new", imap=mail_server("new", password=PASSWORD))
    assert refused(planned(stored(INFO, draft), INFO, ready))


def test_a_connector_that_was_made_a_draft_cannot_come_back_elsewhere_unseen() -> None:
    draft = replace(moved(INFO, server="evil.example"), draft=True)
    used_before = {"info": {PASSWORD: Fingerprint("k", "m")}}
    state = stored(draft, fingerprints=used_before)
    made = planned(state, replace(draft, draft=False))
    assert refused(made)
    assert {item.before for item in made.new_credentials} == {()}


# --- OAuth 2.0 ------------------------------------------------------------------------------------

SECRET = SecretRef("env", "CLIENT_SECRET")
CLIENT = OAuth2(
    grant=Grant.CLIENT_CREDENTIALS,
    client_id="app",
    token_endpoint="https://login.contoso.example/token",
    client_secret=SECRET,
)
MODERN: Connector = receiving("modern", imap=mail_server("modern", password=None, oauth2=CLIENT))


def test_another_token_endpoint_is_a_redirect_of_the_client_secret() -> None:
    elsewhere = replace(CLIENT, token_endpoint="https://evil.example/token")
    configured = receiving("modern", imap=mail_server("modern", password=None, oauth2=elsewhere))
    made = planned(stored(MODERN), configured)
    assert [str(item.after) for item in made.new_credentials] == [
        "https://evil.example/token as an OAuth 2.0 client"
    ]
    assert refused(made)


def test_another_mail_server_would_get_the_token() -> None:
    configured = receiving(
        "modern", imap=mail_server("modern", server="evil.example", password=None, oauth2=CLIENT)
    )
    assert refused(planned(stored(MODERN), configured))


def test_a_client_secret_that_becomes_a_password_is_a_redirect() -> None:
    configured = receiving(
        "modern", imap=mail_server("modern", server="evil.example", password=SECRET)
    )
    assert refused(planned(stored(MODERN), configured))


def test_a_reference_that_is_used_twice_for_one_place_is_reported_once() -> None:
    twice = replace(CLIENT, refresh_token=SECRET)
    stored_one = receiving("modern", imap=mail_server("modern", password=None, oauth2=twice))
    configured = receiving(
        "modern", imap=mail_server("modern", server="new.example", password=None, oauth2=twice)
    )
    assert len(planned(stored(stored_one), configured).new_credentials) == 1


@pytest.mark.parametrize(
    ("destination", "text"),
    [
        (Destination("h", 993, "implicit", "u"), "h:993 (implicit) as u"),
        (Destination("::1", 143, "starttls", "u"), "[::1]:143 (starttls) as u"),
        (Destination("https://h/t", 443, "https", "a client"), "https://h/t as a client"),
    ],
)
def test_a_destination_names_server_tls_mode_and_user(destination: Destination, text: str) -> None:
    assert str(destination) == text


# --- one secret for many mailboxes ----------------------------------------------------------------


def test_of_many_destinations_those_of_the_same_user_are_named_first_and_the_rest_counted() -> None:
    shared = SecretRef("env", "SHARED")
    many = [
        receiving(f"box-{number:02}", imap=mail_server(f"box-{number:02}", password=shared))
        for number in range(20)
    ]
    elsewhere = mail_server("box-19", server="new.example", password=shared)
    made = planned(stored(*many), *many[:-1], receiving("box-19", imap=elsewhere))
    (redirect,) = made.new_credentials
    assert [item.username for item in redirect.before] == [
        "box-19@contoso.example",
        *(f"box-{number:02}@contoso.example" for number in range(TO_ACT_ON - 1)),
    ]
    assert redirect.others == 20 - TO_ACT_ON
    (document,) = to_document(made).new_credential_uses
    assert (len(document.before), document.others) == (TO_ACT_ON, 20 - TO_ACT_ON)
    assert f"and to        {20 - TO_ACT_ON} more" in new_credential_uses(made, Style())


# --- what the state remembers ---------------------------------------------------------------------

VALUE, ANOTHER = Fingerprint("k1", "aa" * 32), Fingerprint("k1", "bb" * 32)
THERE = Destination("imap.contoso.example", 993, "implicit", "info@contoso.example")
ALIAS = SecretRef("env", "ALIAS")
ELSEWHERE = THERE._replace(host="evil.example")


def judged(
    desired: Connector,
    *uses: CredentialUse,
    values: tuple[tuple[SecretRef, Fingerprint], ...] = (),
    identify: dict[SecretRef, str] | None = None,
) -> tuple[NewCredentialUse, ...]:
    """The new uses of a connector that reads alone, in a state that holds nothing but its memory."""
    names = identify or {}
    current = StoredState("1f", 1, credential_uses=uses)
    return new_uses(
        current, Snapshot.of((desired,)), lambda item: names.get(item, str(item)), values
    )


def reading(reference: SecretRef, place: Destination) -> Connector:
    server = MailServer(
        server=place.host,
        port=place.port,
        security=Security(place.security),
        username=place.username,
        password=reference,
    )
    return Connector(name="info", display_name="Info", imap=server)


def test_a_pair_that_was_applied_once_is_not_new() -> None:
    past = CredentialUse(PASSWORD, str(PASSWORD), THERE)
    assert judged(reading(PASSWORD, THERE), past) == ()


def test_a_secret_of_a_connector_that_is_gone_is_judged_by_where_it_went() -> None:
    past = CredentialUse(PASSWORD, str(PASSWORD), THERE)
    (use,) = judged(reading(PASSWORD, ELSEWHERE), past)
    assert (use.before, use.after, use.same_as) == ((THERE,), ELSEWHERE, ())


def test_another_spelling_of_a_file_of_the_past_is_the_same_secret() -> None:
    other = SecretRef("file", "//run/./x")
    past = CredentialUse(SecretRef("file", "/run/x"), "file:/run/x", THERE)
    (use,) = judged(reading(other, ELSEWHERE), past, identify={other: "file:/run/x"})
    assert use.before == (THERE,)


def test_a_reference_that_holds_a_known_secret_is_judged_by_where_that_went() -> None:
    past = (
        CredentialUse(PASSWORD, str(PASSWORD), THERE, VALUE),
        CredentialUse(ALIAS, str(ALIAS), ELSEWHERE, ANOTHER),
    )
    desired = reading(ALIAS, ELSEWHERE)
    assert judged(desired, *past) == ()
    assert judged(desired, *past, values=((ALIAS, ANOTHER),)) == ()
    assert judged(desired, *past, values=((ALIAS, Fingerprint("k1", "cc" * 32)),)) == ()
    (use,) = judged(desired, *past, values=((ALIAS, VALUE),))
    assert (use.reference, use.before, use.after) == (ALIAS, (THERE,), ELSEWHERE)
    assert use.same_as == (PASSWORD,)


def test_values_under_different_keys_are_not_compared() -> None:
    past = (
        CredentialUse(PASSWORD, str(PASSWORD), THERE, VALUE),
        CredentialUse(ALIAS, str(ALIAS), ELSEWHERE),
    )
    under_another = replace(VALUE, key_id="k2")
    assert judged(reading(ALIAS, ELSEWHERE), *past, values=((ALIAS, under_another),)) == ()


def test_two_references_with_one_secret_that_were_applied_so_are_not_new() -> None:
    past = (
        CredentialUse(PASSWORD, str(PASSWORD), THERE, VALUE),
        CredentialUse(ALIAS, str(ALIAS), ELSEWHERE, VALUE),
    )
    assert judged(reading(ALIAS, ELSEWHERE), *past, values=((ALIAS, VALUE),)) == ()


GRAFANA = application("grafana")


def test_the_password_of_an_application_is_a_decision_though_it_is_sent_nowhere() -> None:
    made = planned(stored(INFO), INFO, GRAFANA)
    assert refused(made)
    (use,) = made.new_credentials
    assert str(use.after) == "the gateway as grafana@contoso.example"
    (violation,) = made.violations
    assert violation.message == (
        "application grafana would sign in with env:GRAFANA_SMTP_PASSWORD for the first time"
    )
    assert violation.override == "--allow-credential env:GRAFANA_SMTP_PASSWORD=gateway"
    shown = new_credential_uses(made, Style(colour=False))
    assert "env:GRAFANA_SMTP_PASSWORD, by application grafana\n" in shown
    assert "would open    the gateway as grafana@contoso.example" in shown


def test_another_user_behind_the_same_password_is_a_decision() -> None:
    before = stored(INFO, GRAFANA)
    assert not refused(planned(before, INFO, replace(GRAFANA, senders=("a@contoso.example",))))
    assert refused(planned(before, INFO, replace(GRAFANA, user="ceo@contoso.example")))


def test_a_rule_for_mail_hosts_does_not_open_the_gateway() -> None:
    rules = ("env:*=*.contoso.example",)
    assert refused(planned(stored(INFO), INFO, GRAFANA, rules=rules))
    assert not planned(stored(INFO), INFO, GRAFANA, rules=("env:GRAFANA_*=gateway",)).violations


def test_a_secret_of_an_account_needs_approval_at_the_gateway_and_vice_versa() -> None:
    borrowed = replace(GRAFANA, password=PASSWORD)
    assert refused(planned(stored(INFO), INFO, borrowed))
    lent = moved(INFO, password=GRAFANA.password)
    assert refused(planned(stored(INFO, GRAFANA), lent, GRAFANA))


def test_a_variable_of_the_pipeline_requires_a_rule_that_names_it_as_a_password_too() -> None:
    token = application("grafana", password=SecretRef("env", "GITHUB_TOKEN"))
    (violation,) = planned(stored(INFO), INFO, token, rules=("*",)).violations
    assert violation.limit is Limit.RESERVED_CREDENTIAL
    assert "have a variable of the pipeline as its password: env:GITHUB_TOKEN" in violation.message
