"""``reconciler doctor``: a closer look at one connector, against the servers of the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from tests.functional.conftest import Done, Home

SCHEMA = Path(__file__).parents[3] / "schemas" / "doctor.schema.json"


def document(done: Done) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.out)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(found)
    return found


def no_secret(home: Home, done: Done) -> None:
    secrets = {
        text for name, text in home.environ.items() if "PASSWORD" in name or "SECRET" in name
    }
    assert secrets
    assert [secret for secret in secrets if secret in done.said] == []


def test_a_working_connector_is_reported_from_end_to_end(live: Home) -> None:
    done = live("doctor", "support")
    assert done.status == 0, done.said
    for line in (
        "support: Support mailbox (microsoft365)",
        "IMAP  outlook.office365.com:993 as support@contoso.example\n",
        "  redirected      to 127.0.0.1:",
        "  TLS mode        implicit TLS, as configured",
        "  TLS mode        STARTTLS, as configured",
        " days left (",
        "  sent mail       Sent, because the server marks it \\Sent; the provider files copies itself",
        "  size limit      33.6 MB",
        "support reads and sends mail; no problems found.",
    ):
        assert line in done.out
    no_secret(live, done)
    assert not live.state.exists()


def test_the_document_matches_its_schema_and_has_the_same_content(live: Home) -> None:
    done = live("doctor", "payroll", "--format", "json", "--report", "json=doctor.json")
    found = document(done)
    assert json.loads((live.folder / "doctor.json").read_text()) == found
    assert (found["connector"], found["outcome"]) == ("payroll", "passed")
    imap, smtp = found["accounts"]
    assert [stage["stage"] for stage in imap["stages"]] == [
        "secret", "dns", "tcp", "tls", "capabilities", "authentication", "mailbox",
    ]  # fmt: skip
    assert (imap["speaks"], smtp["speaks"]) == ("implicit", "starttls")
    assert imap["certificates_verified"]
    assert 80 < imap["certificates"][0]["days_left"] <= 90
    assert imap["certificates"][0]["hosts"]
    assert imap["sent"] == {
        "folder": "Sent", "reason": "the server marks it \\Sent", "copies": "us",
    }  # fmt: skip
    assert smtp["size_limit"] > 1_000_000
    no_secret(live, done)


def test_a_refused_certificate_is_shown_as_it_is(live: Home) -> None:
    del live.environ["RECONCILER_CA_FILE"]
    done = live("doctor", "payroll", "--format", "json")
    found = document(done)
    assert (done.status, found["outcome"]) == (4, "rejected")
    for account, mode in zip(found["accounts"], ("implicit", "starttls"), strict=True):
        assert (account["speaks"], account["certificates_verified"]) == (mode, False)
        assert account["certificates"][0]["days_left"] > 80
    shown = live("doctor", "payroll").out
    assert "as sent by the server, not trusted:" in shown
    assert "payroll can neither read mail nor send mail: The certificate of " in shown


def test_a_port_with_another_tls_mode_is_reported(live: Home) -> None:
    live.redirect("smtp.office365.com", 587, live.local_port("smtp.gmail.com", 465))
    done = live("doctor", "support", "--timeout", "4s")
    assert done.status == 4
    assert "the port speaks implicit TLS, but STARTTLS is set" in done.out
    assert "support reads mail, but it cannot send mail: smtp.office365.com expects TLS" in done.out


def test_a_server_that_is_down_is_unreachable(live: Home, closed_port: int) -> None:
    live.redirect("imap.gmail.com", 993, closed_port)
    live.redirect("smtp.gmail.com", 465, closed_port)
    done = live("doctor", "info", "--format", "json")
    found = document(done)
    assert (done.status, found["outcome"]) == (9, "unreachable")
    assert [account["speaks"] for account in found["accounts"]] == [None, None]


def test_a_wrong_password_is_reported_with_all_earlier_stages(live: Home) -> None:
    live.environ["PAYROLL_PASSWORD"] = "not the one"
    done = live("doctor", "payroll")
    assert done.status == 4
    assert "auth_rejected" in done.out
    assert "  signs in with   " in done.out
    assert "not the one" not in done.said


@pytest.mark.parametrize(
    ("name", "says"),
    [("supprt", "Did you mean `support`?"), ("newsletter", "is a draft"), ("x", "no connector x")],
)
def test_only_a_connector_can_be_examined(name: str, says: str, home: Home) -> None:
    done = home("doctor", name)
    assert done.status == 64
    assert says in done.err
