"""A backup is restored on trial, into a server of its own."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from services.codestore.embedded import EmbeddedServer
from services.codestore.integrity.backup import Progress, copy_of, quiet, restore
from services.codestore.integrity.backup_files import read_manifest
from services.codestore.integrity.verify import Finding, verify
from services.codestore.places import Place
from services.codestore.store import CodeStore


@dataclass(frozen=True)
class Rehearsal:
    """What came of restoring a backup on trial.

    Attributes:
        created: Unix time at which the backup was complete.
        findings: in which the restored collection is not what was backed up; none where all is well.
    """

    address: str
    created: int
    generation: str
    items: int
    findings: tuple[Finding, ...]

    @property
    def exit_status(self) -> int:
        """0 where all is well, else 1."""
        return int(bool(self.findings))


def rehearse(address: str | Path, progress: Progress = quiet) -> Rehearsal:
    """Restore a backup into a server of its own, which is gone afterwards, and compare what is there with it. Pictures are left out.

    Raises:
        DamagedBackupError: a file of the backup is not what was written.
        TaxohashError: there is no backup, or no server to be started.
        StoreUnavailableError: the place does not answer.
    """
    created = read_manifest(Place.open(address, "backups")).created
    with (
        tempfile.TemporaryDirectory(prefix="taxohash-rehearsal-") as folder,
        EmbeddedServer(folder, options={"appendonly": "no"}) as server,
        CodeStore.connect(server.url) as store,
    ):
        made = restore(store, address, progress=progress)
        report = verify(store, made.collection, [copy_of(address)])
    return Rehearsal(str(address), created, made.generation, report.items, report.findings)
