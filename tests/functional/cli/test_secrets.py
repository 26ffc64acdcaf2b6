"""No secret appears anywhere: every command, every form, in success and in failure."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.builders import FINGERPRINT_KEY

if TYPE_CHECKING:
    from tests.functional.conftest import Home

KEY: Final = FINGERPRINT_KEY
FILE_SECRET: Final = "Tr0ub4dor&3 §☃ from a file"

NETWORK: Final = {"RECONCILER_CONNECT_TO", "RECONCILER_CA_FILE", "RECONCILER_STATE"}

PLANS: Final = ("human", "markdown", "json")
ROUTE: Final = ("route", "--from", "info@contoso.example", "--as", "joan@contoso.example")

READING: Final = (
    *((("validate", "--format", form)) for form in ("human", "json", "github")),
    *((("plan", "--format", form)) for form in PLANS),
    *((("plan", "--check-secrets", "--format", form)) for form in PLANS),
    ("plan", "--check-secrets", "--out", "plan.json", "--report", "json=p.json"),
    *((("test", "--format", form)) for form in ("human", "json")),
    ("test", "--report", "json=test.json"),
    *((("status", "--format", form)) for form in ("human", "json")),
    *((("show", "support", "--format", form)) for form in ("human", "json")),
    *((("show", "plan.json", "--format", form)) for form in ("human", "json")),
    *((("history", "--format", form)) for form in ("human", "json")),
    *((("history", "show", "1", "--format", form)) for form in ("human", "json")),
    *((("history", "support", "--format", form)) for form in ("human", "json")),
    *((("diff", "0", "--format", form)) for form in ("human", "json")),
    *((("log", "--format", form)) for form in ("human", "json")),
    *(((*ROUTE, "--format", form)) for form in ("human", "json")),
    ("state", "lock"),
    ("schema", "connectors"),
    ("--help",),
)
ENDINGS: Final = ("_PASSWORD", "_CLIENT_SECRET")
"""What the variables with the example's secrets end in."""

APPLY: Final = ("apply", "--auto-approve", "--report", "json=a.json", "--report", "markdown=a.md")


@cache
def spellings(secret: str) -> set[bytes]:
    """The secret as it is, and as SASL and JSON would have it."""
    raw = secret.encode()
    return {
        raw,
        base64.b64encode(raw),
        base64.b64encode(raw).rstrip(b"="),
        json.dumps(secret)[1:-1].encode(),
        raw.hex().encode(),
        repr(secret)[1:-1].encode(),
    }


class Watch:
    """Runs commands, and looks for secrets in everything that they say and leave behind."""

    def __init__(self, home: Home, known: dict[str, str]) -> None:
        self.home = home
        self.known = known
        self.clean: set[tuple[frozenset[str], bytes]] = set()

    def __call__(self, *arguments: str, statuses: tuple[int, ...] = (0,)) -> None:
        done = self.home(*arguments)
        assert done.status in statuses, (arguments, done.said)
        self.search(f"what {arguments} said", done.said.encode())
        for path in self.home.folder.rglob("*"):
            if path.is_file() and path.name != "secret":
                self.search(str(path), path.read_bytes())

    def search(self, where: str, data: bytes) -> None:
        """Fail if a secret is in the data, without repeating it."""
        searched = frozenset(self.known.values()), data
        if searched in self.clean:
            return
        for name, secret in self.known.items():
            found = any(spelling in data for spelling in spellings(secret))
            assert not found, f"{name} is in {where}"
        self.clean.add(searched)


@pytest.fixture
def watch(live: Home) -> Watch:
    """The example with secrets in the environment and one in a file, all of them known."""
    secret = live.folder / "secret"
    secret.write_text(f"{live.environ['NO_REPLY_PASSWORD']}\n", encoding="utf-8")
    secret.chmod(0o600)
    live.edit("no-reply.yaml", "env:NO_REPLY_PASSWORD", "file:secret")
    live.environ["RECONCILER_FINGERPRINT_KEY"] = KEY
    known = {name: text for name, text in live.environ.items() if name.endswith(ENDINGS)}
    assert len(known) == 6
    known["RECONCILER_FINGERPRINT_KEY"] = KEY
    return Watch(live, known)


def test_secrets_stay_hidden_on_success(watch: Watch) -> None:
    for command in READING:
        watch(*command, statuses=(0, 1))
    watch(*APPLY)
    for command in READING:
        watch(*command)
    watch.home.edit("policy.yaml", "enabled: false", "enabled: true")
    watch.home.edit("support.yaml", "outlook.office365.com", "imap.elsewhere.example")
    for command in READING:
        watch(*command, statuses=(0, 9))
    watch(*APPLY, statuses=(5,))


def test_when_every_password_is_wrong(watch: Watch) -> None:
    names = (name for name in watch.known if name.endswith(ENDINGS))
    wrong = {name: f"wrong {number} wröng" for number, name in enumerate(names)}
    watch.home.environ |= wrong
    watch.known |= {f"wrong {name}": text for name, text in wrong.items()}
    (watch.home.folder / "secret").write_text(FILE_SECRET, encoding="utf-8")
    watch.known["the file"] = FILE_SECRET
    for command in (*READING, APPLY, (*APPLY, "--keep-going"), *READING):
        watch(*command, statuses=(0, 1, 4))


def test_secrets_stay_hidden_if_nobody_answers(watch: Watch, closed_port: int) -> None:
    for entry in watch.home.environ["RECONCILER_CONNECT_TO"].split():
        if entry == "*":
            continue
        host, _, port = entry.partition("=")[0].rpartition(":")
        watch.home.redirect(host, int(port), closed_port)
    for command in (*READING, APPLY, (*APPLY, "--skip-tests", "outage"), *READING):
        watch(*command, statuses=(0, 1, 9))


def test_when_the_certificates_are_not_trusted(watch: Watch) -> None:
    del watch.home.environ["RECONCILER_CA_FILE"]
    for command in (("test",), ("test", "--format", "json"), APPLY):
        watch(*command, statuses=(4,))


def test_when_secrets_cannot_be_sent_as_they_are(watch: Watch) -> None:
    odd = {
        "INFO_APP_PASSWORD": "line\nbreak",
        "SUPPORT_CLIENT_SECRET": "Ünïcode ☃",
        "PAYROLL_PASSWORD": " ",
    }
    watch.home.environ |= odd
    watch.known |= {name: text for name, text in odd.items() if text.strip()}
    for command in (("test",), ("test", "--format", "json"), APPLY):
        watch(*command, statuses=(4,))


def test_when_secrets_are_missing_or_in_plain_text(watch: Watch) -> None:
    del watch.home.environ["INFO_APP_PASSWORD"]
    (watch.home.folder / "secret").unlink()
    for command in (*READING, APPLY):
        watch(*command, statuses=(0, 1, 4))
    plain = "correct-horse-battery-staple"
    watch.home.edit("payroll.yaml", "env:PAYROLL_SMTP_PASSWORD", plain)
    for command in (*READING, APPLY):
        done = watch.home(*command)
        assert plain not in done.said
    assert not any(
        plain.encode() in path.read_bytes()
        for path in watch.home.folder.rglob("*")
        if path.is_file() and watch.home.config not in path.parents
    )


def test_no_traceback_holds_a_secret(watch: Watch) -> None:
    """Python shows an unexpected exception; its chain must be clean."""
    import traceback

    from reconciler.app.project_folder import find_project
    from reconciler.app.test import probe_options
    from reconciler.app.workspace import open_workspace
    from reconciler.errors import SecretError
    from reconciler.model.secret_ref import SecretRef

    space = open_workspace(
        find_project({}, (Path("connectors.d"),)), {"A": "with \udc80 surrogate"}
    )
    assert probe_options(space).retries >= 0
    for reference in ("env:B", "file:/no/such/file", "command:false"):
        with pytest.raises(SecretError) as caught:
            space.resolver().resolve(SecretRef.parse(reference))
        shown = "".join(traceback.TracebackException.from_exception(
            caught.value, capture_locals=True
        ).format())  # fmt: skip
        assert "surrogate" not in shown


def test_the_sandbox_prints_its_made_up_passwords_where_they_are_asked_for_and_nowhere_else(
    home: Home,
) -> None:
    done = home.run("sandbox", "--", "sh", "-c", "echo $INFO_APP_PASSWORD")
    assert done.status == 0
    password = done.out.strip()
    assert len(password) > 10
    assert password not in done.err
    for path in (home.folder / ".reconciler").rglob("*"):
        assert not path.is_file() or password.encode() not in path.read_bytes()
