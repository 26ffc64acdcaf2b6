from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("reconciler.probe.result", "ssl,imapclient,smtplib,socket,pydantic"),
        ("reconciler.connection.options", "ssl,imapclient,smtplib,authlib"),
        ("reconciler.probe.runner", "imapclient,smtplib,authlib,cryptography,http.client"),
        ("reconciler.mail.imap", "authlib,cryptography,requests"),
    ],
)
def test_nothing_is_imported_before_it_is_needed(module: str, unwanted: str) -> None:
    script = (
        f"import sys, {module}; print([m for m in '{unwanted}'.split(',') if m in sys.modules])"
    )
    untraced = {name: text for name, text in os.environ.items() if not name.startswith("COV")}
    found = subprocess.run(
        [sys.executable, "-c", script], env=untraced, capture_output=True, check=True
    )
    assert found.stdout.decode().strip() == "[]"
