"""What an editor with yaml-language-server (VS Code, Neovim, Helix, …) shows in the files that ``init`` writes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from reconciler.app.init import start
from tests.editors.language_server import LanguageServer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
CURSOR: Final = "‸"

CONNECTOR: Final = "kind: EmailConnector\nname: support\n"


def command() -> list[str]:
    """The server, as ``npm ci`` in packaging/editors installs it, or that on the PATH."""
    modules = Path(
        os.environ.get("RECONCILER_NODE_MODULES", ROOT / "packaging/editors/node_modules")
    )
    program = modules / "yaml-language-server" / "bin" / "yaml-language-server"
    node = shutil.which("node")
    if node and program.exists():
        return [node, str(program)]
    installed = shutil.which("yaml-language-server")
    if installed:
        return [installed]
    missing = "node" if not node else "yaml-language-server (npm ci --prefix packaging/editors)"
    pytest.skip(f"needs {missing}")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    start(folder / "connectors.d", "lead@contoso.example")
    return folder


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[LanguageServer]:
    with LanguageServer(command(), project) as running:
        yield running


class Editor:
    """Opens texts under names of their own, each below the modeline that ``init`` writes."""

    def __init__(self, server: LanguageServer, project: Path) -> None:
        self.server = server
        self.project = project
        self.count = 0

    def show(self, text: str, file: str = "") -> tuple[Path, int, int, list[dict[str, Any]]]:
        """Open a text; returns the place of the cursor in it, and the problems that are underlined."""
        written = self.project / (file or "connectors.d/support.yaml")
        first = written.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema=")
        self.count += 1
        path = written.with_name(f"{written.stem}-{self.count}.yaml")
        whole = f"{first}\n{text}"
        before = whole.partition(CURSOR)[0]
        line, column = before.count("\n"), len(before.rpartition("\n")[2])
        return path, line, column, self.server.open(path, whole.replace(CURSOR, ""))


@pytest.fixture(scope="module")
def editor(server: LanguageServer, project: Path) -> Editor:
    return Editor(server, project)


SETTINGS: Final = "reconciler.yaml"

COMPLETIONS: Final = {
    "kinds": ("kind: ‸", "", {"EmailConnector", "Permissions", "Roles"}, set()),
    "fields of a connector": (
        CONNECTOR + "‸", "", {"imap", "smtp", "also_sends_as"}, {"members", "enabled", "kind"},
    ),
    "fields of IMAP": (CONNECTOR + "imap:\n  ‸", "", {"server", "oauth2"}, {"sign_in", "name"}),
    "fields of SMTP": (
        CONNECTOR + "smtp:\n  server: a.example\n  ‸", "", {"sign_in", "port"}, {"server"},
    ),
    "values of security": (
        CONNECTOR + "imap:\n  security: ‸", "", {"implicit", "starttls", "none"}, {"auto"},
    ),
    "values of a boolean": (CONNECTOR + "draft: ‸", "", {"true", "false"}, set()),
    "who may send": ("kind: Permissions\nconnector: support\nusers:\n  ‸", "", {"users", "groups"}, set()),
    "settings": ("‸", SETTINGS, {"allowed_hosts", "environments", "limits"}, {"kind"}),
    "depths": ("testing:\n  depth: ‸", SETTINGS, {"dns", "mailbox", "envelope"}, set()),
}  # fmt: skip


@pytest.mark.parametrize("place", COMPLETIONS)
def test_a_completion_offers_what_fits(place: str, editor: Editor) -> None:
    text, file, expected, unfit = COMPLETIONS[place]
    path, line, column, _ = editor.show(text, file)
    offered = {item["label"] for item in editor.server.complete(path, line, column)}
    assert expected <= offered
    assert not unfit & offered


def test_a_field_is_offered_with_its_description(editor: Editor) -> None:
    path, line, column, _ = editor.show(CONNECTOR + "smtp:\n  ‸")
    items = {item["label"]: item for item in editor.server.complete(path, line, column)}
    assert "STARTTLS on 587, 25 and 2525" in str(items["use_ssl"]["documentation"])
    assert "Deadline" not in str(items["use_ssl"]["documentation"])


HOVERS: Final = {
    "use_ssl of IMAP": (
        CONNECTOR + "imap:\n  use‸_ssl: true\n", "", ("#### Use SSL (IMAP)", "mandatory STARTTLS on 143"),
    ),
    "use_ssl of SMTP": (
        CONNECTOR + "smtp:\n  use‸_ssl: true\n", "", ("#### Use SSL (SMTP)", "implicit TLS on 465"),
    ),
    "a password": (
        CONNECTOR + "imap:\n  pass‸word: env:A\n", "", ("#### Password", "never the password itself", "env:SUPPORT_PASSWORD"),
    ),
    "the meaning of values": (
        CONNECTOR + "save‸_sent: never\n", "", ("#### Save sent mail", "`auto`: File a copy unless", "`never`: File no copy"),
    ),
    "the meaning of a kind": ("kind‸: Group\nname: hr\n", "", ("A named set of users",)),
    "a permission": ("kind: Permissions\nconn‸ector: support\n", "", ("#### Connector", "apply to")),
    "a provider of one's own": (
        "kind: Provider\nname: x\nimap:\n  server: a.example\n  port: 993\n  security: implicit\n  user‸name_form: address\n", "", ("#### Form of the user name", "`local_part`: The part before"),
    ),
    "a grant": (
        CONNECTOR + "imap:\n  oauth2:\n    gr‸ant: jwt_bearer\n", "", ("#### Grant type", "`client_credentials`: The application signs in"),
    ),
    "a setting": ("allowed‸_hosts: []\n", SETTINGS, ("#### Allowed hosts", "*.office365.com")),
    "a setting of tests": ("testing:\n  ret‸ries: 0\n", SETTINGS, ("#### Retries", "temporary")),
}  # fmt: skip


@pytest.mark.parametrize("place", HOVERS)
def test_a_hover_explains_the_field(place: str, editor: Editor) -> None:
    text, file, expected = HOVERS[place]
    path, line, column, problems = editor.show(text, file)
    assert problems == []
    shown = editor.server.hover(path, line, column).replace("&nbsp;", " ").replace("\\", "")
    for words in expected:
        assert words in shown, shown


ERRORS: Final = {
    "an unknown field": (CONNECTOR + "‸usernme: a\n", "", "usernme"),
    "a missing name": ("‸kind: EmailConnector\n", "", 'Missing property "name"'),
    "an unknown kind": ("kind: ‸EmailConector\n", "", "EmailConnector"),
    "a password itself": (
        CONNECTOR + "imap:\n  password: ‸hunter2\n", "", "Write a reference such as env:NAME",
    ),
    "a host with a port": (CONNECTOR + "imap:\n  server: ‸a.example:993\n", "", "Expected a host name"),
    "a port in quotes": (CONNECTOR + 'imap:\n  port: ‸"993"\n', "", "Expected a whole number, or ${var.NAME}"),
    "a port too high": (CONNECTOR + "imap:\n  port: ‸99999\n", "", "maximum"),
    "yes for true": (CONNECTOR + "draft: ‸yes\n", "", "Expected true or false, or ${var.NAME}"),
    "an unknown value": (CONNECTOR + "save_sent: ‸sometimes\n", "", "always"),
    "an address without a domain": (
        CONNECTOR + "reply_to: ‸support\n", "", "Expected an email address, such as",
    ),
    "a wrong depth": ("testing:\n  depth: ‸deep\n", SETTINGS, "envelope"),
}  # fmt: skip


@pytest.mark.parametrize("fault", ERRORS)
def test_an_error_is_underlined_in_its_place(fault: str, editor: Editor) -> None:
    text, file, expected = ERRORS[fault]
    _, line, column, problems = editor.show(text, file)
    (problem,) = problems
    assert expected in problem["message"]
    assert "\\x00" not in problem["message"], "no regular expression is shown"
    assert problem["range"]["start"] == {"line": line, "character": column}


def test_what_init_writes_and_the_shipped_example_have_no_problems(
    server: LanguageServer, project: Path
) -> None:
    files = [*project.rglob("*.yaml"), *(ROOT / "connectors.d").glob("*.yaml")]
    assert len(files) >= 10
    found = {path.name: server.open(path, path.read_text(encoding="utf-8")) for path in files}
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_variables_cause_no_problem(editor: Editor) -> None:
    text = "imap:\n  server: imap.${var.domain}\n  port: ${var.port}\n  use_ssl: ${var.tls}\n"
    assert editor.show(CONNECTOR + text)[3] == []
