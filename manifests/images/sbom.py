"""List what an image holds, as CycloneDX 1.6: every Python distribution of /app/.venv, and every package of Debian.

`python sbom.py NAME FILE`, in the stage `sbom` of a recipe, where cyclonedx-bom is installed. Licences of Debian's packages lie in the
image, /usr/share/doc/PACKAGE/copyright; those of distributions are listed.
"""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

PYTHON = "/app/.venv/bin/python"
SITE = "/app/.venv/lib/python3.11/site-packages"
FIELDS = ("${Package}", "${Version}", "${Architecture}")


def main(name: str, file: str) -> None:
    listed = distributions()
    listed["metadata"]["component"] = {"type": "container", "name": name, "bom-ref": name}
    for component in listed["components"]:
        if not component.get("licenses"):
            component.update(named(component["name"], component["version"]))
    listed["components"] += packages()
    text = json.dumps(listed, indent=1, sort_keys=True)
    if wrong := make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"sbom: it is not valid CycloneDX: {wrong}")
    Path(file).write_text(text + "\n", encoding="utf-8")


def distributions() -> Any:
    """What cyclonedx-py says of the environment; without serial numbers and times."""
    command = [
        f"{Path(sys.executable).parent}/cyclonedx-py",
        "environment",
        "--output-reproducible",
        "--sv",
        "1.6",
        PYTHON,
    ]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def named(distribution: str, version: str) -> dict[str, list[dict[str, dict[str, str]]]]:
    """The licence as a distribution names it, where cyclonedx-py knows no such name; nothing where it names none."""
    (found,) = metadata.distributions(name=distribution, path=[SITE])
    assert found.version == version
    name = found.metadata["License"]
    return {"licenses": [{"license": {"name": name}}]} if name else {}


def packages() -> list[dict[str, str]]:
    """What dpkg has installed; nothing, in an image that is not Debian's."""
    command = ["dpkg-query", "--show", "--showformat", "\t".join(FIELDS) + "\n"]
    try:
        lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    except FileNotFoundError:
        return []
    return [package(*line.split("\t")) for line in sorted(lines)]


def package(name: str, version: str, architecture: str) -> dict[str, str]:
    url = f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={architecture}"
    return {"type": "library", "name": name, "version": version, "purl": url, "bom-ref": url}


if __name__ == "__main__":
    main(*sys.argv[1:])
