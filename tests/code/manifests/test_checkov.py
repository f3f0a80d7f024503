"""checkov finds nothing in what is rendered but what manifests/waivers.yaml gives a reason for."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.combinations import rendered_with, together
from tests.support.manifests import OVERLAYS, ROOT

WAIVERS: list[dict[str, Any]] = yaml.safe_load(
    (ROOT / "manifests" / "waivers.yaml").read_text(encoding="utf-8")
)
(VERSION,) = (
    line.partition("=")[2]
    for line in (ROOT / "scripts" / "checkov").read_text(encoding="utf-8").splitlines()
    if line.startswith("VERSION=")
)
CHECKOV = ROOT / ".cache" / f"checkov-{VERSION}" / "bin" / "checkov"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not CHECKOV.is_file(), reason="checkov is not here: sh scripts/checkov says why"),
]
Finding = tuple[str, str, str]  # the check, what it is about, and the object


def findings(folder: Path) -> Iterator[Finding]:
    """What checkov finds in the manifests of a folder."""
    words = [
        str(CHECKOV),
        "-d",
        str(folder),
        "--framework",
        "kubernetes",
        "--compact",
        "--quiet",
        "--skip-download",
    ]
    variables = {**os.environ, "PYTHONPATH": "", "LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [*words, "-o", "json"], env=variables, capture_output=True, text=True, timeout=500, check=False
    )
    told = json.loads(done.stdout)
    assert told["summary"]["parsing_errors"] == 0
    assert told["summary"]["resource_count"] > 20
    for own in told["results"]["failed_checks"]:
        kind, _, rest = own["resource"].partition(".")
        yield own["check_id"], own["check_name"], f"{kind} {rest.partition('.')[2]}"


def waived(finding: Finding, waiver: dict[str, Any]) -> bool:
    check, _, where = finding
    return bool(waiver["check"] == check and where in waiver.get("of", [where]))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> set[Finding]:
    """In overlays as they are, and in that for production with all that may stand together."""
    folder = tmp_path_factory.mktemp("rendered")
    choices = [(overlay, ()) for overlay in OVERLAYS] + [
        ("production", names) for names in together("production")
    ]
    for number, (overlay, names) in enumerate(choices):
        (folder / f"{number}.yaml").write_text(rendered_with(overlay, names), encoding="utf-8")
    return set(findings(folder))


def test_every_finding_is_waived(found: set[Finding]) -> None:
    assert [own for own in sorted(found) if not any(waived(own, waiver) for waiver in WAIVERS)] == []


def test_every_waiver_has_a_finding_and_a_reason(found: set[Finding]) -> None:
    for waiver in WAIVERS:
        assert waiver.keys() <= {"check", "of", "reason"}
        assert len(waiver["reason"]) > 20
        for where in waiver.get("of", [None]):
            assert any(waived(own, waiver) and where in (own[2], None) for own in found), waiver["check"]


def test_what_is_less_hard_is_found(tmp_path: Path) -> None:
    softer = rendered_with("dev", ()).replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false")
    (tmp_path / "softer.yaml").write_text(softer, encoding="utf-8")
    assert {own[0] for own in findings(tmp_path)} - {waiver["check"] for waiver in WAIVERS} == {"CKV_K8S_22"}
