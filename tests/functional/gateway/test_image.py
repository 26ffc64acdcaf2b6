"""The image of packaging/container is built, and runs as its configuration says.

It needs buildah and root. ``RECONCILER_CONTAINER_BASE`` names an image with Python to build on, which can be pulled or is
there, and ``RECONCILER_BUILD_OPTIONS`` holds more options of ``buildah build``, such as a volume with the certificate of a
proxy. ``RECONCILER_CONTAINER_IMAGE`` names an image that was built before.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import smtplib
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import trustme

from tests.functional.gateway.conftest import DEADLINE, PASSWORD, SENDER, Running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.sandbox.session import Session
    from tests.functional.conftest import Home

pytestmark = pytest.mark.timeout(1800)

ROOT: Final = Path(__file__).parents[3]
TAG: Final = f"localhost/reconciler-gateway-{os.getpid()}"
USER: Final = 10001


def buildah(*arguments: str, seconds: float = 300) -> str:
    done = subprocess.run(
        ["buildah", *arguments], cwd=ROOT, env={"BUILDAH_ISOLATION": "chroot", **os.environ},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """An image that was built for this."""
    base, built = (os.environ.get(f"RECONCILER_CONTAINER_{name}") for name in ("BASE", "IMAGE"))
    if shutil.which("buildah") is None or os.geteuid() != 0 or not (base or built):
        pytest.skip("it takes buildah, root, and an image in RECONCILER_CONTAINER_BASE")
    if built:
        yield built
        return
    options = shlex.split(os.environ.get("RECONCILER_BUILD_OPTIONS", ""))
    buildah(
        "bud", "--network", "host", "--format", "docker", "--build-arg", f"BASE={base}", *options,
        "--file", "packaging/container/Containerfile", "--tag", TAG, ".", seconds=1500,
    )  # fmt: skip
    yield TAG
    buildah("rmi", TAG)


@pytest.fixture
def settings(image: str) -> dict[str, Any]:
    """What the image says of how it is to be run."""
    described: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", image))["Docker"]
    settings: dict[str, Any] = described["config"]
    return settings


@pytest.fixture
def container(image: str) -> Iterator[str]:
    name = buildah("from", image)
    yield name
    buildah("rm", name)


def test_the_image_has_no_root_no_secret_and_nothing_that_only_the_build_needs(
    settings: dict[str, Any], container: str
) -> None:
    assert settings["User"] == f"{USER}:{USER}"
    assert [item.partition("=")[0] for item in settings["Env"] or []] == ["PATH"]
    assert buildah("run", container, "--", "id", "-u") == str(USER)
    found = buildah(
        "run", container, "--", "sh", "-c", "ls -d /source /build /wheel /root/.cache 2>&1 || true"
    )
    assert found.count("No such file") + found.count("Permission denied") == 4, found


def test_a_mail_goes_through_the_image(
    settings: dict[str, Any],
    container: str,
    applied: Home,
    example_session: Session,
    tmp_path: Path,
) -> None:
    project = tmp_path / "project"
    shutil.copytree(applied.folder, project)
    tls = tmp_path / "tls"
    tls.mkdir()
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(tls / "tls.key"))
    (tls / "tls.crt").write_bytes(b"".join(item.bytes() for item in issued.cert_chain_pems))
    for path in (tmp_path, tls, project, *tls.rglob("*"), *project.rglob("*")):
        os.chown(path, USER, USER)
    trusted = Path(applied.environ["RECONCILER_CA_FILE"])
    own = {
        name: value for name, value in applied.environ.items()
        if name.startswith("RECONCILER_") or name.endswith("_PASSWORD")
    }  # fmt: skip
    options = [
        *(f"--env={name}={value}" for name, value in own.items()),
        f"--env=RECONCILER_CA_FILE=/run/tls/{trusted.name}",
        f"--volume={project}:/project", f"--volume={tls}:/run/tls:ro",
    ]  # fmt: skip
    shutil.copy(trusted, tls)
    (tls / trusted.name).chmod(0o644)
    process = subprocess.Popen(
        ["buildah", "run", *options, container, "--", *settings["Entrypoint"], *settings["Cmd"]],
        env={"BUILDAH_ISOLATION": "chroot", **os.environ}, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    gateway = Running(process, authority)
    try:
        gateway.wait_for("ready")
        buildah("run", container, "--", *settings["Healthcheck"]["Test"][1:])
        context = ssl.create_default_context()
        authority.configure_trust(context)
        to = "image@elsewhere.example"
        with smtplib.SMTP("localhost", gateway.ports["starttls"], timeout=DEADLINE) as client:
            client.starttls(context=context)
            client.login("grafana", PASSWORD)
            client.sendmail(SENDER, [to], f"From: {SENDER}\r\nTo: {to}\r\nSubject: x\r\n\r\nx\r\n")
        assert [item.recipient for item in example_session.journal.strays][-1] == to
    finally:
        with suppress(IndexError, ProcessLookupError):
            os.kill(children(process.pid)[0], signal.SIGTERM)
        status = process.wait(DEADLINE)
    assert gateway.wait_for("ended")["cut_off"] == 0
    assert status == 0
    assert process.stderr is not None
    process.stderr.close()


def children(pid: int) -> list[int]:
    """The processes that a process started, and those that they did: those that have none first."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    own = [int(number) for number in listed.stdout.split()]
    return [*(later for number in own for later in children(number)), *own]
