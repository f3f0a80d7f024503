"""That a backup can be restored is seen by restoring it."""

from pathlib import Path

import pytest

from services.codestore import CodeStore
from services.codestore.integrity.backup import backup
from services.codestore.integrity.backup_files import DamagedBackupError
from services.codestore.integrity.backups import dated, newest
from services.codestore.rehearsal import rehearse
from tests.support.stored import fill_collection


@pytest.mark.system
def test_a_backup_is_restored_on_trial(tmp_path: Path) -> None:
    address = dated(tmp_path, "c")
    with CodeStore.connect("memory://") as store:
        fill_collection(store, count=100)
        made = backup(store, "c", address)
        items = store.count("c")
    done = rehearse(newest(tmp_path, "c"))
    assert (done.address, done.generation, done.findings, done.exit_status) == (address, "g1", (), 0)
    assert done.items == items
    assert done.created == made.manifest.created
    part = next(Path(address, "segments").iterdir())
    part.write_bytes(part.read_bytes()[:-1] + b"\x00")
    with pytest.raises(DamagedBackupError, match="is damaged: use another one"):
        rehearse(address)
