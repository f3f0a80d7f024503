"""An image of one layer, as `docker save` writes it: from a folder, without Docker."""

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path


def write(file: Path, name: str, folder: Path, entrypoint: Sequence[str] = (), workdir: str = "/") -> None:
    """Write an image whose files are those of a folder, all of them root's.

    Args:
        file: to write.
        name: of the image, with its tag.
        entrypoint: what it runs.
        workdir: where.
    """
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for entry in sorted(folder.rglob("*")):
            archive.add(entry, str(entry.relative_to(folder)), recursive=False, filter=_roots)
    content = layer.getvalue()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": list(entrypoint),
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "WorkingDir": workdir,
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]},
            "history": [{"created_by": "taxohash"}],
        }
    ).encode()
    called = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": called, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(file, "w") as archive:
        for part, text in ((called, config), ("manifest.json", manifest), ("layer.tar", content)):
            member = tarfile.TarInfo(part)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))


def identity(file: Path) -> tuple[str, str]:
    """The name of the one image of an archive, and what tells its content from any other.

    Raises:
        ValueError: it has no image with a name, or several.
    """
    with tarfile.open(file) as content:
        manifest = content.extractfile("manifest.json")
        images = json.load(manifest) if manifest else []
    found = [(str(name), str(image["Config"])) for image in images for name in image["RepoTags"] or []]
    if len(found) != 1:
        raise ValueError(f"{file} has {len(found)} names of images: one is needed")
    return found[0]


def _roots(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member
