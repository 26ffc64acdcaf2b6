"""The manifest of an indexed Job: its pods are the whole run, each with a part of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from tests.functional.conftest import Home

FOLDER: Final = Path(__file__).parents[3] / "packaging" / "kubernetes"
MANIFEST: Final = FOLDER / "test-job.yaml"
ALL: Final = {"info", "invoices", "no-reply", "payroll", "support"}


@pytest.fixture
def mounted(live: Home) -> Home:
    """The configuration as Kubernetes mounts a ConfigMap: files are links into a hidden folder."""
    hidden = live.config / "..2026_11_27_12_00_00.1"
    hidden.mkdir()
    for path in [item for item in live.config.iterdir() if item != hidden]:
        shutil.move(path, hidden / path.name)
    (live.config / "..data").symlink_to(hidden.name)
    for path in hidden.iterdir():
        (live.config / path.name).symlink_to(f"..data/{path.name}")
    return live


def test_the_pods_of_the_job_test_every_connector_once(mounted: Home) -> None:
    job: Any = YAML(typ="safe").load(MANIFEST.read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    parts = []
    for index in range(job["spec"]["completions"]):
        done = mounted(
            *container["args"], "--depth", "dns", "--format", "json",
            JOB_COMPLETION_INDEX=str(index),
        )  # fmt: skip
        assert done.status == 0, done.err
        report = json.loads(done.out)
        assert report["run"]["shard"] == {"number": index + 1, "count": job["spec"]["completions"]}
        parts.append({item["connector"] for item in report["connectors"]})
    assert job["spec"]["completionMode"] == "Indexed"
    assert set().union(*parts) == ALL
    assert sum(len(part) for part in parts) == len(ALL)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ("", "JOB_COMPLETION_INDEX is not set"),
        ("4", "JOB_COMPLETION_INDEX is '4', and 4 shards have the indexes 0 to 3"),
        ("-1", "JOB_COMPLETION_INDEX is '-1', and"),
        ("one", "JOB_COMPLETION_INDEX is 'one', and"),
    ],
)
def test_a_shard_of_a_job_needs_an_index_within_the_count(
    home: Home, index: str, said: str
) -> None:
    done = home("drift", "--shard", "job/4", JOB_COMPLETION_INDEX=index)
    assert done.status == 64
    assert said in " ".join(done.err.split())


def test_an_index_without_the_option_chooses_no_shard(live: Home) -> None:
    done = live("test", "--depth", "dns", "--format", "json", JOB_COMPLETION_INDEX="0")
    assert {item["connector"] for item in json.loads(done.out)["connectors"]} == ALL


def test_the_nightly_job_finds_what_changed_with_nothing_but_the_settings(live: Home) -> None:
    live.apply_untested()
    live("drift")
    shutil.rmtree(live.config)  # it tests what is applied, so it needs no documents
    live.write("../reconciler.yaml", "{}\n")
    job: Any = YAML(typ="safe").load((FOLDER / "drift-cronjob.yaml").read_text())
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    done = live(*container["args"])
    assert done.status == 0, done.said
    assert "Tested 5" in done.out
    assert live(*container["args"], PAYROLL_PASSWORD="wrong").status == 4


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_no_pod_has_more_rights_than_it_needs(path: Path) -> None:
    manifest: Any = YAML(typ="safe").load(path.read_text())
    job = manifest["spec"].get("jobTemplate", manifest)["spec"]
    pod = job["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["restartPolicy"] == "Never"
    assert job.get("backoffLimit", job.get("backoffLimitPerIndex")) == 0
    for container in pod["containers"]:
        allowed = container["securityContext"]
        assert allowed["allowPrivilegeEscalation"] is False
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        assert not any("value" in item for item in container.get("env", ()))
