"""How a service logs: a line of JSON (or of text) each, on standard error.

Nobody waits for who reads the log: lines go through a bounded queue to a thread that writes them, and what does not fit
is counted. An exception is told by its types and places, not by its message, which may quote what was sent.
"""

import atexit
import json
import logging
import os
import queue
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from services import metrics
from services.web.secrets import without_secrets
from taxohash.runtime.terminal import printable

LOG = logging.getLogger("taxohash")

SPARING_LINES = 20  # a second, of each kind
_QUEUED_LINES = 10_000
_BATCH_SECONDS = 0.02
_BATCH_LINES = 1_000
_FLUSH_SECONDS = 1.0
_FRAMES = 12
_ROOT = Path(__file__).resolve().parents[2]
# Of servers that have handlers of their own, and whose line a request says what ours says.
_OTHERS = ("uvicorn", "uvicorn.error", "bentoml")
_SILENT = ("uvicorn.access", "bentoml.access")


class Sparing:
    """So many lines of a kind a second; the others are counted."""

    def __init__(self, kind: str, lines: int = SPARING_LINES) -> None:
        self._kind = kind
        self._lines = lines
        self._second = 0
        self._written = 0
        self._left_out = 0

    def fits(self, now: float) -> bool:
        """Whether one more line is written; with the first of a second goes how many were left out before."""
        if (second := int(now)) != self._second:
            if self._left_out:
                LOG.warning("%s more lines about requests %s were left out", self._left_out, self._kind)
            self._second, self._written, self._left_out = second, 0, 0
        self._written += 1
        if self._written <= self._lines:
            return True
        self._left_out += 1
        metrics.LOG_LINES_LEFT_OUT.labels(self._kind).inc()
        return False


def told_of(error: BaseException | None) -> str:
    """An exception, and those it came of: types and places, innermost last. Its message may quote a client."""
    told = []
    while error is not None:
        places = _places(error.__traceback__)
        told.append(f"{type(error).__name__}{' at ' if places else ''}{', '.join(places)}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " after ".join(told)


def configure(form: str, handle: int = 2) -> None:
    """Let this process log as we do, whatever in it logs.

    Args:
        form: json or text.
        handle: file descriptor to which the lines go.
    """
    writer = _Writer(handle)
    writer.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [writer]
    root.setLevel(logging.INFO)
    for name in _OTHERS:
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True
    for name in _SILENT:
        logging.getLogger(name).disabled = True
    # Of a record nobody reads these; to find them takes longer than the rest of it (Python's logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed


def _places(trace: TracebackType | None) -> list[str]:
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{_module(code.co_filename)}:{trace.tb_lineno} in {code.co_name}")
        trace = trace.tb_next
    return places[-_FRAMES:]


def _module(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else "/".join(path.parts[-2:])


def _thread_failed(arguments: threading.ExceptHookArgs) -> None:
    LOG.error("a thread ended", extra={"exception": told_of(arguments.exc_value)})


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told = {"level": record.levelname, "logger": record.name, "message": record.getMessage()}
        return json.dumps(told | {"time": _time(record)} | _extra(record), default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extra = [f"{name}={value}" for name, value in _extra(record).items()]
        line = [_time(record), record.levelname, record.name, record.getMessage(), *extra]
        return printable(" ".join(line))


_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    """What a line tells beside its message."""
    extra = {name: value for name, value in record.__dict__.items() if name not in _OWN}
    return extra | ({"exception": told_of(record.exc_info[1])} if record.exc_info else {})


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class _Writer(logging.Handler):
    """Lines to a file descriptor, made and written by a thread: a reader that stands still holds up nobody."""

    def __init__(self, handle: int) -> None:
        super().__init__()
        self._handle = handle
        self._records: queue.Queue[logging.LogRecord] = queue.Queue(_QUEUED_LINES)
        threading.Thread(target=self._write, name="log", daemon=True).start()
        atexit.register(self.flush)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            record.msg, record.args = record.getMessage(), None  # now: what it speaks of may change
            self._records.put_nowait(record)
        except queue.Full:
            metrics.LOG_LINES_LEFT_OUT.labels("that nobody read").inc()
        except Exception:  # a line that cannot be made is no reason to fail a request
            metrics.LOG_LINES_LEFT_OUT.labels("that could not be made").inc()

    def flush(self) -> None:
        """Wait until all lines are written, but not for ever."""
        deadline = time.monotonic() + _FLUSH_SECONDS
        while self._records.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(_BATCH_SECONDS / 4)

    def _write(self) -> None:
        while True:
            records = [self._records.get()]
            while len(records) < _BATCH_LINES and not self._records.empty():
                records.append(self._records.get_nowait())
            self._put("".join(map(self._line, records)).encode("utf-8", "backslashreplace"))
            for _ in records:
                self._records.task_done()
            time.sleep(_BATCH_SECONDS)  # lines that come meanwhile are written at once

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return without_secrets(self.format(record)) + "\n"
        except Exception:
            metrics.LOG_LINES_LEFT_OUT.labels("that could not be made").inc()
            return ""

    def _put(self, lines: bytes) -> None:
        rest = memoryview(lines)
        while rest:
            try:
                rest = rest[os.write(self._handle, rest) :]
            except BlockingIOError:  # somebody made it so
                time.sleep(_BATCH_SECONDS)
            except OSError:  # nobody reads any more
                return
