from __future__ import annotations

import pytest

from reconciler.mail.faults import ProxyUnusable
from reconciler.mail.web_proxy import ProxySettings

PASSWORD = "p@ss/w:rd-9Zq"


@pytest.mark.parametrize(
    ("value", "place", "credentials"),
    [
        ("http://proxy.example:3128", "proxy.example:3128", None),
        ("http://Proxy.Example:3128/", "proxy.example:3128", None),
        ("proxy.example:3128", "proxy.example:3128", None),
        ("HTTP://proxy.example", "proxy.example:80", None),
        ("http://[2001:db8::7]:3128", "[2001:db8::7]:3128", None),
        ("http://nadia@proxy.example:1", "proxy.example:1", "nadia:"),
        (" http://nadia:p%40ss%2Fw%3Ard-9Zq@10.1.2.3:3128 ", "10.1.2.3:3128", f"nadia:{PASSWORD}"),
    ],
)
def test_a_proxy_is_read_as_curl_reads_it(value: str, place: str, credentials: str | None) -> None:
    settings = ProxySettings.of({"HTTPS_PROXY": value})
    proxy = settings.proxy_for("login.example", 443)
    assert str(proxy) == place
    assert proxy is not None
    found = proxy.credentials
    assert (found.reveal() if found is not None else None) == credentials
    for text in (repr(settings), str(settings), str(proxy)):
        assert "nadia" not in text
        assert PASSWORD not in text
    assert ("with credentials" in str(settings)) is (credentials is not None)


@pytest.mark.parametrize(
    "value",
    [
        "socks5://nadia:9Zq@proxy.example:1080",
        "https://nadia:9Zq@proxy.example:443",
        "http://nadia:9Zq/x@proxy.example:3128",
        "http://nadia:9Zq@:3128",
        "http://nadia:9Zq@proxy.example:99999",
        "http://nadia:9Zq@[proxy.example:1",
        "http://nadia:9Zq@pro xy.example:1",
        "://9Zq",
    ],
)
def test_what_cannot_be_used_is_an_error_only_where_it_would_be_used(value: str) -> None:
    settings = ProxySettings.of({"HTTPS_PROXY": value, "NO_PROXY": "inner.example"})
    assert settings.proxy_for("inner.example", 443) is None
    with pytest.raises(ProxyUnusable, match=r"HTTPS_PROXY .*expected http://HOST:PORT") as caught:
        settings.proxy_for("login.example", 443)
    for text in (str(caught.value), str(settings), repr(settings)):
        assert "9Zq" not in text
        assert "nadia" not in text


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTP_PROXY": "http://a.example:1", "ALL_PROXY": "http://a.example:1"}, None),
        ({"HTTPS_PROXY": "http://upper.example:1"}, "upper.example:1"),
        ({"HTTPS_PROXY": "http://u.example:1", "https_proxy": "http://l.example:1"}, "l.example:1"),
        ({"HTTPS_PROXY": "http://u.example:1", "https_proxy": ""}, None),
        (
            {"HTTPS_PROXY": "http://u.example:1", "NO_PROXY": "*", "no_proxy": ""},
            "u.example:1",
        ),
    ],
)
def test_the_name_in_lower_case_comes_first(environ: dict[str, str], place: str | None) -> None:
    proxy = ProxySettings.of(environ).proxy_for("login.example", 443)
    assert (None if proxy is None else str(proxy)) == place


@pytest.mark.parametrize(
    ("exceptions", "host", "excepted"),
    [
        ("*", "login.example", True),
        ("login.example", "login.example", True),
        ("login.example", "LOGIN.example.", True),
        ("example", "login.example", True),
        (".example", "login.example", True),
        ("*.example", "login.example", True),
        ("ogin.example", "login.example", False),
        ("login.example.org", "login.example", False),
        ("other.example,login.example", "login.example", True),
        ("other.example login.example", "login.example", True),
        (" , ,", "login.example", False),
        ("login.example:443", "login.example", True),
        ("login.example:8443", "login.example", False),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("10.0.0.0/8", "10.9.8.7", True),
        ("10.0.0.0/8", "11.9.8.7", False),
        ("10.9.8.7", "10.9.8.7", True),
        ("2001:db8::/32", "2001:db8::7", True),
        ("[2001:db8::7]:443", "2001:db8::7", True),
        ("2001:db8::7", "2001:db8::8", False),
        ("nothing.example", "localhost", True),
        ("nothing.example", "imap.localhost", True),
        ("nothing.example", "127.4.5.6", True),
        ("nothing.example", "::1", True),
    ],
)
def test_exceptions_name_hosts_domains_addresses_and_networks(
    exceptions: str, host: str, excepted: bool
) -> None:
    settings = ProxySettings.of({"HTTPS_PROXY": "http://p.example:1", "NO_PROXY": exceptions})
    assert settings.applies_to(host, 443) is not excepted
    assert (settings.proxy_for(host, 443) is None) is excepted
