"""Which process runs a run on this machine."""

import os
import socket

import psutil  # type: ignore[import-untyped]

from pipelines.shared.record import Record

_PROCESS = "process"


def note_process(record: Record) -> None:
    """Have a run know that this process runs it."""
    record.note(_PROCESS, pid=os.getpid(), since=psutil.Process().create_time(), host=socket.gethostname())


def process_of(record: Record) -> psutil.Process | None:
    """The process that runs it, if that is alive, and not another that has its number by now."""
    noted = record.noted(_PROCESS)
    if not noted:
        return None
    try:
        process = psutil.Process(noted["pid"])
        same = abs(process.create_time() - noted["since"]) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
