"""The settings of other programs are imported without passwords, and skipped lines are reported
by number."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.discovery.program_settings import ProgramSettings, read_program_settings

SECRET: Final = "zq9Tr0ub4dor&3"
DJANGO: Final = f"""\
EMAIL_HOST=smtp.contoso.example
EMAIL_PORT=587
EMAIL_HOST_USER=shop@contoso.example
EMAIL_HOST_PASSWORD={SECRET}
EMAIL_USE_TLS=True
DEFAULT_FROM_EMAIL="Contoso Shop <shop@contoso.example>"
EMAIL_TIMEOUT=5
"""
LARAVEL: Final = f"""\
MAIL_MAILER=smtp
MAIL_HOST="smtp.contoso.example"
MAIL_PORT=465  # implicit
MAIL_USERNAME=relay
MAIL_PASSWORD='{SECRET}'
MAIL_ENCRYPTION=tls
MAIL_FROM_ADDRESS="shop@contoso.example"
MAIL_FROM_NAME="Contoso Shop"
"""
COMPOSE: Final = f"""\
services:
  app:
    environment:
      SMTP_HOST: smtp.contoso.example
      SMTP_PORT: "587"
      SMTP_USER: shop@contoso.example
      SMTP_PASS: {SECRET}
"""
COMPOSE_LIST: Final = """\
    environment:
      - SMTP_HOST=smtp.contoso.example
      - SMTP_USER=shop@contoso.example
      - SMTP_PASSWORD=${SHOP_SMTP_PASSWORD}
"""
GRAFANA: Final = f"""\
GF_SMTP_ENABLED=true
GF_SMTP_HOST=smtp.contoso.example:465
GF_SMTP_USER=shop@contoso.example
GF_SMTP_PASSWORD={SECRET}
"""
SPRING: Final = f"""\
spring.mail.host=smtp.contoso.example
spring.mail.port=587
spring.mail.username=shop@contoso.example
spring.mail.password={SECRET}
spring.mail.properties.mail.smtp.starttls.enable=true
"""
URL: Final = f"MAILER_DSN=smtps://shop%40contoso.example:{SECRET}@smtp.contoso.example\n"
MSMTP: Final = f"""\
defaults
tls on
account work
host smtp.contoso.example
port 465
tls_starttls off
from shop@contoso.example
user shop@contoso.example
password {SECRET}
account other
host mail.fabrikam.example
password {SECRET}
"""
FAMILIES: Final = {
    "django": DJANGO, "laravel": LARAVEL, "compose": COMPOSE, "compose list": COMPOSE_LIST,
    "grafana": GRAFANA, "spring": SPRING, "url": URL, "msmtp": MSMTP,
}  # fmt: skip


def told(found: ProgramSettings) -> list[tuple[int, str]]:
    return [(item.line, item.text) for item in found.remarks]


@pytest.mark.parametrize(
    ("family", "server", "username"),
    [
        ("django", "SMTP smtp.contoso.example:587, STARTTLS", "shop@contoso.example"),
        ("laravel", "SMTP smtp.contoso.example:465, implicit TLS", "relay"),
        ("compose", "SMTP smtp.contoso.example:587, STARTTLS", "shop@contoso.example"),
        ("compose list", "SMTP smtp.contoso.example:587, STARTTLS", "shop@contoso.example"),
        ("grafana", "SMTP smtp.contoso.example:465, implicit TLS", "shop@contoso.example"),
        ("spring", "SMTP smtp.contoso.example:587, STARTTLS", "shop@contoso.example"),
        ("url", "SMTP smtp.contoso.example:465, implicit TLS", "shop@contoso.example"),
        ("msmtp", "SMTP smtp.contoso.example:465, implicit TLS", "shop@contoso.example"),
    ],
)
def test_every_family_is_read(family: str, server: str, username: str) -> None:
    found = read_program_settings(FAMILIES[family])
    assert str(found.server) == server
    assert found.username == username
    assert found.address == "shop@contoso.example"
    assert found.signs_in
    assert SECRET not in repr(found)


def test_skipped_settings_are_named_with_their_line() -> None:
    assert told(read_program_settings(DJANGO)) == [
        (7, "EMAIL_TIMEOUT was not understood"),
        (4, "EMAIL_HOST_PASSWORD was not copied: put the secret where the connector refers to"),
    ]
    assert (10, "only the first account was read") in told(read_program_settings(MSMTP))


def test_names_for_people_are_imported_too() -> None:
    assert read_program_settings(DJANGO).from_name == "Contoso Shop"
    assert read_program_settings(LARAVEL).from_name == "Contoso Shop"


def test_a_variable_in_place_of_the_password_becomes_the_reference() -> None:
    found = read_program_settings(COMPOSE_LIST)
    assert str(found.password) == "env:SHOP_SMTP_PASSWORD"
    assert found.remarks == []
    reserved = read_program_settings("SMTP_PASSWORD=$GITHUB_TOKEN\n")
    assert reserved.password is None


def test_an_access_key_becomes_a_reference() -> None:
    found = read_program_settings("SMTP_USERNAME=AKIAIOSFODNN7EXAMPLE\n")
    assert found.username == "env:SMTP_USERNAME"
    assert "AKIA" not in repr(found)


def test_no_tls_becomes_mandatory_starttls_with_a_remark() -> None:
    found = read_program_settings(
        "SMTP_HOST=smtp.contoso.example\nSMTP_PORT=25\nSMTP_SECURITY=none\n"
    )
    assert str(found.server) == "SMTP smtp.contoso.example:25, STARTTLS"
    assert told(found) == [
        (3, "SMTP_SECURITY asks for no TLS: the connector requires STARTTLS all the same")
    ]


@pytest.mark.parametrize(
    "url",
    [
        "smtp://user:p@ss.word@smtp.contoso.example",
        "smtp://user:ss/pass.word@smtp.contoso.example",
        "smtp://mail.user:123/x@smtp.contoso.example",
        "smtp://user:p#ss.word@smtp.contoso.example",
        "smtp://user:pass.word?x@smtp.contoso.example",
        "smtp://localhost:25",
        "sendmail://default",
        "smtp://[::1",
    ],
)
def test_a_url_that_can_be_read_in_two_ways_is_left_out(url: str) -> None:
    found = read_program_settings(f"SMTP_URL={url}\n")
    assert found.server is None
    assert found.username is None
    assert told(found) == [
        (1, "SMTP_URL is not a URL of an SMTP server that can be read, so it was left out")
    ]


@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=30).map(
        lambda text: f"Zq7{text}"
    ),
    family=st.sampled_from([DJANGO, LARAVEL, COMPOSE, GRAFANA, SPRING, URL, MSMTP]),
)
def test_no_password_comes_through(secret: str, family: str) -> None:
    found = read_program_settings(family.replace(SECRET, secret))
    assert secret not in repr(found)
    for part in (part for part in secret.replace("/", "@").split("@") if len(part) > 5):
        assert part not in str(found.server)
        assert part not in str(found.username)


@given(st.text(max_size=400))
def test_whatever_the_file_holds_nothing_is_raised(text: str) -> None:
    read_program_settings(text)
    read_program_settings(f"defaults\nhost {text}\nSMTP_URL=smtp://{text}\n")
    read_program_settings(f"SMTP_URL=smtp://{text}\nSMTP_HOST={text}\nMAIL_FROM={text}\n")


SPRING_YAML: Final = f"""\
server:
  port: 8080
spring:
  application: {{name: shop}}
  mail:
    host: smtp.contoso.example
    port: 587
    username: shop@contoso.example
    password: {SECRET}
    properties:
      mail:
        smtp:
          starttls:
            enable: true
  datasource:
    username: somebody@else.example
    password: other
logging:
  host: logs.contoso.example
"""


def test_the_yaml_of_spring_says_what_its_properties_say() -> None:
    yaml, properties = read_program_settings(SPRING_YAML), read_program_settings(SPRING)
    assert (yaml.server, yaml.username, yaml.address) == (
        properties.server,
        properties.username,
        properties.address,
    )
    assert [(item.line, item.text) for item in yaml.remarks] == [
        (9, "spring.mail.password was not copied: put the secret where the connector refers to")
    ]
    reference = read_program_settings(SPRING_YAML.replace(SECRET, "${MAIL_SECRET}"))
    assert str(reference.password) == "env:MAIL_SECRET"
