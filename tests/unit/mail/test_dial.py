from __future__ import annotations

import pytest

from reconciler.errors import UsageError
from reconciler.mail.dial import ConnectTo
from reconciler.mail.faults import NotRedirected
from reconciler.model.connect_to import joined


def test_without_redirections_every_connection_goes_to_its_host() -> None:
    nowhere = ConnectTo.parse([])
    assert not nowhere
    assert nowhere.target("imap.example.com", 993) == ("imap.example.com", 993)


@pytest.mark.parametrize(
    "texts",
    [
        ["imap.example.com:993=127.0.0.1:10993", "smtp.example.com:465=127.0.0.1:10465"],
        ["imap.example.com:993=127.0.0.1:10993,smtp.example.com:465=127.0.0.1:10465"],
        [" imap.example.com:993=127.0.0.1:10993\n smtp.example.com:465=127.0.0.1:10465 "],
    ],
)
def test_entries_may_be_repeated_or_stand_in_one_text(texts: list[str]) -> None:
    led = ConnectTo.parse(texts)
    assert led
    assert led.target("imap.example.com", 993) == ("127.0.0.1", 10993)
    assert led.target("smtp.example.com", 465) == ("127.0.0.1", 10465)
    assert led.target("imap.example.com", 143) == ("imap.example.com", 143)


@pytest.mark.parametrize("host", ["IMAP.Example.COM", "imap.example.com."])
def test_a_host_is_the_same_however_it_is_written(host: str) -> None:
    led = ConnectTo.parse(["imap.example.com:993=127.0.0.1:10993"])
    assert led.target(host, 993) == ("127.0.0.1", 10993)


def test_non_ascii_names_and_addresses_in_brackets() -> None:
    led = ConnectTo.parse(["bücher.example:993=[::1]:10993", "[2001:db8::1]:25=localhost:2525"])
    assert led.target("xn--bcher-kva.example", 993) == ("::1", 10993)
    assert led.target("2001:db8::1", 25) == ("localhost", 2525)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "host:993",
        "host=127.0.0.1:993",
        "host:993=127.0.0.1",
        "host:0=127.0.0.1:993",
        "host:993=127.0.0.1:65536",
        "host:993=::1:993",
        "host:993=127.0.0.1:993=",
        ":993=127.0.0.1:993",
    ],
)
def test_an_invalid_redirection_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        ConnectTo.parse([text])
    assert "HOST:PORT=ADDRESS:PORT" in refused.value.hint


def test_one_host_and_port_cannot_have_two_targets() -> None:
    entry = "a.example:993=127.0.0.1:1"
    assert len(ConnectTo.parse([entry, entry]).redirections) == 1
    with pytest.raises(UsageError, match="two places"):
        ConnectTo.parse([entry, "A.example:993=127.0.0.1:2"])


def test_a_star_forbids_connections_that_are_not_redirected() -> None:
    led = ConnectTo.parse(["imap.example.com:993=127.0.0.1:10993 *"])
    assert led.target("imap.example.com", 993) == ("127.0.0.1", 10993)
    with pytest.raises(NotRedirected):
        led.target("imap.example.com", 143)
    assert led.led("smtp.example.com", 465) is None
    assert ConnectTo.parse(["*"])


def test_given_entries_take_precedence_over_default_ones() -> None:
    standing = ("a.example:1=127.0.0.1:1, b.example:2=127.0.0.1:2 *",)
    entries = joined(["b.example:2=127.0.0.1:3", "c.example:4=127.0.0.1:4"], standing)
    led = ConnectTo.parse(entries)
    places = {
        host: led.target(host, port)[1] for host, port in (("a.example", 1), ("b.example", 2))
    }
    assert places == {"a.example": 1, "b.example": 3}
    assert led.target("c.example", 4)[1] == 4
    assert led.only
