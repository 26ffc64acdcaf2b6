"""A connector is added for an address: its settings are found, asked for or given, and written only if they are valid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from reconciler.app.new_connector import name_for, reference_for
from tests.functional.terminal import terminal
from tests.mail_domain import (
    DOMAIN,
    MailDomain,
    autoconfig,
    http,
    imap_greeting,
    smtp_greeting,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functional.conftest import Done, Home

USAGE: Final = 64
ADDRESS: Final = f"help@{DOMAIN}"
GIVEN: Final = (
    "--no-discover",
    "--imap",
    "mail.fabrikam.example",
    "--smtp",
    "mail.fabrikam.example:587",
)


@pytest.fixture
def domain(tmp_path: Path) -> Iterator[MailDomain]:
    with MailDomain(tmp_path) as started:
        yield started


def added(home: Home, domain: MailDomain, *options: str) -> Done:
    return home("add", ADDRESS, *domain.options(), *options)


def text(home: Home, name: str) -> str:
    return (home.config / f"{name}.yaml").read_text()


def test_settings_published_by_the_domain_are_written_and_valid(
    bare: Home, domain: MailDomain
) -> None:
    domain.serve(f"autoconfig.{DOMAIN}", 443, http(200, autoconfig()))
    done = added(bare, domain)
    assert done.status == 0, done.said
    assert f"autoconfig of the domain: https://autoconfig.{DOMAIN}/" in done.err
    assert "known providers: none" in done.err
    assert text(bare, "help") == (
        "# Found by: autoconfig of the domain\n"
        "kind: EmailConnector\n"
        "name: help\n"
        "imap:\n"
        "  server: imap.contoso.example\n"
        "  port: 993\n"
        "  use_ssl: true\n"
        "  username: help@contoso.example\n"
        "  password: env:HELP_PASSWORD\n"
        "enable_mail_send_from: true\n"
        "smtp:\n"
        "  server: smtp.contoso.example\n"
        "  port: 587\n"
        "  use_ssl: true\n"
        "  email_address: help@contoso.example\n"
        "  use_same_credentials: true\n"
    )
    validated = bare("validate", "--warnings-as-errors")
    assert validated.status == 0, validated.said


def test_a_project_is_started_with_a_mailbox(bare: Home) -> None:
    bare.config.rmdir()
    done = bare("init", "info@gmail.com", "--actor", "lead@contoso.example", "--no-discover")
    assert done.status == 0, done.said
    written = text(bare, "info")
    assert written.startswith("# yaml-language-server: $schema=../schemas/connectors.schema.json\n")
    assert (bare.folder / "schemas" / "connectors.schema.json").exists()
    assert "provider: gmail" in written
    assert "It requires an app password" in done.out
    assert "Set INFO_PASSWORD" in done.out
    roles = text(bare, "roles")
    assert "contoso.example" in roles
    assert "gmail.com" not in roles, "everybody can have an address there"
    assert bare("validate", "--warnings-as-errors").status == 0
    again = bare("add", "sales@gmail.com", "--no-discover")
    assert again.status == 0
    assert text(bare, "sales").startswith("# yaml-language-server:")


def test_servers_in_another_domain_need_confirmation(bare: Home, domain: MailDomain) -> None:
    domain.srv("_imaps", "0 1 993 imap.evil.example")
    domain.srv("_submissions", f"0 1 465 smtp.{DOMAIN}")
    for options in ((), ("--yes",)):
        done = added(bare, domain, *options)
        assert done.status == USAGE
        assert f"imap.evil.example is not in {DOMAIN}, so nothing was written" in done.err
        assert "--imap imap.evil.example:993:implicit" in done.err
        assert list(bare.config.iterdir()) == []
    with terminal(bare, "add", ADDRESS, *domain.options()) as person:
        person.read_until("Only 'yes' will be accepted")
        person.type("yes\n")
        person.read_until("Name of the connector [help]")
        person.type("desk\n")
        assert person.wait() == 0, person.shown
    assert "server: imap.evil.example" in text(bare, "desk")


def test_a_guess_becomes_a_draft_until_a_person_confirms_it(bare: Home, domain: MailDomain) -> None:
    domain.serve(f"imap.{DOMAIN}", 993, imap_greeting)
    domain.serve(f"smtp.{DOMAIN}", 465, smtp_greeting)
    done = added(bare, domain)
    assert done.status == 0, done.said
    assert "draft: true" in text(bare, "help")
    assert "# Guessed: ask the provider" in text(bare, "help")
    assert bare("validate").status == 0
    tested = bare("test", "help", "--no-record", HELP_PASSWORD="hunter2")
    assert "hunter2" not in domain.said
    assert "LOGIN" not in domain.said, tested.said
    with terminal(bare, "add", ADDRESS, "--name", "sure", "--dry-run", *domain.options()) as person:
        person.read_until("Only 'yes' will be accepted")
        person.type("yes\n")
        assert person.wait() == 0, person.shown
    assert "draft" not in person.shown.partition("kind: EmailConnector")[2]


def test_a_person_is_asked_for_unknown_servers(bare: Home) -> None:
    with terminal(bare, "add", "--no-discover") as person:
        person.read_until("Address of the mailbox: ")
        person.type("ada@fabrikam.example\n")
        person.read_until("IMAP server, HOST or HOST:PORT (empty: none): ")
        person.type("mail.fabrikam.example:4711\n")
        person.read_until("it is unknown how port 4711 is encrypted")
        person.type("\n")
        person.read_until("SMTP server, HOST or HOST:PORT (empty: none): ")
        person.type("mail.fabrikam.example:587\n")
        person.read_until("Name of the connector [ada]: ")
        person.type("\n")
        assert person.wait() == 0, person.shown
    assert "imap" not in text(bare, "ada")
    assert "password: env:ADA_PASSWORD" in text(bare, "ada")
    assert bare("validate").status == 0


def test_nobody_is_asked_without_a_terminal(bare: Home) -> None:
    assert bare.run("add").status == USAGE
    done = bare.run("add", "ada@fabrikam.example", "--no-discover")
    assert done.status == USAGE
    assert "no settings were found for fabrikam.example" in done.err


def test_existing_names_and_files_are_kept(home: Home) -> None:
    before = text(home, "support")
    done = home("add", "new@fabrikam.example", *GIVEN, "--name", "support")
    assert done.status == USAGE
    assert "there is a connector support already, in connectors.d/support.yaml:" in done.err
    assert home("add", "support@fabrikam.example", *GIVEN).status == 0
    assert text(home, "support") == before
    assert "name: support-fabrikam-example" in text(home, "support-fabrikam-example")
    (home.config / "fresh.yaml").write_text(
        "kind: Group\nname: fresh\nmembers: {users: [ada@x.example]}\n"
    )
    (home.config / "fresh.connector.yaml").write_text(
        "kind: Group\nname: f2\nmembers: {users: [ada@x.example]}\n"
    )
    taken = home("add", "fresh@fabrikam.example", *GIVEN)
    assert taken.status == USAGE
    assert "exists, and nothing is overwritten" in taken.err


def test_settings_shared_with_other_connectors_are_a_warning(home: Home) -> None:
    done = home("add", "support@contoso.example", *GIVEN, "--name", "twin")
    assert done.status == 0, done.said
    assert "connectors.d/twin.yaml:15:18: warning" in done.err
    assert "[connector/same-address]" in done.err


def test_a_host_that_is_not_allowed_is_refused(home: Home) -> None:
    home.write(
        "../reconciler.yaml",
        "allowed_hosts: ['*.contoso.example', '*.office365.com', '*.gmail.com']\n",
    )
    done = home("add", "new@fabrikam.example", *GIVEN)
    assert done.status == 3
    assert "[connector/host-not-allowed]" in done.err
    assert not (home.config / "new.yaml").exists()


def test_a_password_on_the_command_line_is_refused_and_not_repeated(bare: Home) -> None:
    done = bare("add", "ada@fabrikam.example", *GIVEN, "--password", "Tr0ub4dor&3")
    assert done.status == USAGE
    assert "takes a reference" in done.err
    assert "Tr0ub4dor" not in done.said
    assert list(bare.config.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        ("ada",),
        ("ada@fabrikam.example", "--name", "Ada"),
        ("ada@fabrikam.example", "--provider", "gmial"),
        ("ada@fabrikam.example", "--provider", "gmail", "--imap", "x.example"),
        ("ada@fabrikam.example", "--imap", "x.example:99999"),
        ("ada@fabrikam.example", "--imap", "x.example:\u0669\u0669\u0663"),
        ("ada@fabrikam.example", "--imap", ":993"),
        ("ada@fabrikam.example", "--smtp", "x.example:2465"),
        ("ada@fabrikam.example", "--username", "a b"),
        ("ada@fabrikam.example", "--nameserver", "dns.example"),
        ("a\x1b[31m@fabrikam.example",),
    ],
)  # fmt: skip
def test_values_that_no_connector_can_have_are_usage_errors(
    bare: Home, options: tuple[str, ...]
) -> None:
    done = bare("add", *options)
    assert done.status == USAGE, done.said
    assert "\x1b" not in done.said
    assert list(bare.config.iterdir()) == []


def test_a_mailbox_that_signs_in_with_oauth_is_a_draft_until_the_application_is_known(
    bare: Home,
) -> None:
    assert bare("add", "ada@contoso.onmicrosoft.com", "--no-discover").status == 0
    assert "draft: true" in text(bare, "ada")
    done = bare("add", "bob@contoso.onmicrosoft.com", "--no-discover", "--client-id", "2f6f3c0e")
    assert done.status == 0
    assert "draft" not in text(bare, "bob")
    assert "client_secret: env:BOB_CLIENT_SECRET" in text(bare, "bob")
    assert bare("validate", "--warnings-as-errors").status == 0


@pytest.mark.parametrize(
    ("address", "name"),
    [("Support.Team+x@a.example", "support-team-x"), ("42@a.example", "mailbox-42"),
     ("\u00e9t\u00e9@a.example", "t"), ("__@a.example", "mailbox"), ("a" * 64 + "@a.example", "a" * 63)],
)  # fmt: skip
def test_a_name_is_derived_from_the_address(address: str, name: str) -> None:
    assert name_for(address) == name


def test_no_reference_names_a_variable_of_the_pipeline() -> None:
    assert str(reference_for("support-desk", "PASSWORD")) == "env:SUPPORT_DESK_PASSWORD"
    assert str(reference_for("aws-mail", "PASSWORD")) == "env:MAIL_AWS_MAIL_PASSWORD"


SETTINGS: Final = """\
SMTP_HOST=smtp.contoso.example
SMTP_PORT=587
SMTP_USER=shop@contoso.example
SMTP_PASSWORD=Tr0ub4dor&3-zq9
SMTP_POOL=true
"""


def test_the_settings_of_another_program_become_a_connector(bare: Home) -> None:
    (bare.folder / ".env").write_text(SETTINGS)
    done = bare("add", "--from", ".env", "--no-discover")
    assert done.status == 0, done.said
    assert ".env:4: SMTP_PASSWORD was not copied" in done.err
    assert ".env:5: SMTP_POOL was not understood" in done.err
    assert text(bare, "shop") == (
        "# Found by: the settings of another program\n"
        "kind: EmailConnector\n"
        "name: shop\n"
        "enable_mail_send_from: true\n"
        "smtp:\n"
        "  server: smtp.contoso.example\n"
        "  port: 587\n"
        "  use_ssl: true\n"
        "  email_address: shop@contoso.example\n"
        "  username: shop@contoso.example\n"
        "  password: env:SHOP_PASSWORD\n"
    )
    assert "Tr0ub4dor" not in done.said + text(bare, "shop")
    assert bare("validate", "--warnings-as-errors").status == 0


def test_servers_of_a_provider_are_written_by_its_name(bare: Home) -> None:
    (bare.folder / ".env").write_text(
        "MAILER_DSN=smtps://ada%40gmail.com:secret-one@smtp.gmail.com\n"
    )
    assert bare("add", "--from", ".env", "--name", "mine").status == 0
    written = text(bare, "mine")
    assert "provider: gmail" in written
    assert "imap" not in written
    assert bare("validate", "--warnings-as-errors").status == 0


def test_a_relay_without_a_sign_in_stays_one(bare: Home) -> None:
    (bare.folder / ".env").write_text("SMTP_HOST=relay.contoso.example\nSMTP_PORT=25\n")
    assert bare("add", "--from", ".env").status == USAGE, "the address is missing"
    assert bare("add", "ada@contoso.example", "--from", ".env").status == 0
    assert "sign_in: none" in text(bare, "ada")
    assert "password" not in text(bare, "ada")
    assert bare("validate").status == 0


def test_an_autoconfig_file_is_taken_from_the_disk_too(bare: Home) -> None:
    path = bare.folder / "config-v1.1.xml"
    path.write_bytes(autoconfig())
    assert bare("add", "--from", path.name).status == USAGE, "the address is missing"
    assert bare("add", ADDRESS, "--from", path.name).status == 0
    assert "server: imap.contoso.example" in text(bare, "help")
    path.write_text("<html>")
    assert "cannot be used" in bare("add", ADDRESS, "--from", path.name).err


def test_a_file_without_a_server_is_refused_with_what_can_be_read(bare: Home) -> None:
    for content in (b"PATH=/bin\n", b"\xff\xfe", b"", b"SMTP_HOST=localhost\n", b"\0" * 200_000):
        (bare.folder / "x").write_bytes(content)
        done = bare("add", ADDRESS, "--from", "x")
        assert done.status in {1, USAGE}
        assert "Traceback" not in done.err
        assert list(bare.config.iterdir()) == []


def test_a_project_is_started_from_a_file(bare: Home) -> None:
    bare.config.rmdir()
    (bare.folder / ".env").write_text(SETTINGS)
    assert bare("init", "--from", ".env", "--actor", "lead@contoso.example").status == 0
    assert bare("validate", "--warnings-as-errors").status == 0


def test_a_project_that_has_connectors_keeps_them(home: Home) -> None:
    done = home("init", "support@gmail.com", "--name", "support")
    assert done.status == USAGE
    assert "there is a connector support already" in done.err
    assert not (home.folder / "reconciler.yaml").exists()
    assert home("init", "support@gmail.com").status == 0
    assert (home.config / "support-gmail-com.yaml").exists()
    assert home("validate").status == 0
