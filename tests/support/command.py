"""Commands as their users type them, run in this process: a process of its own would import torch anew."""

import io
import runpy
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def run(module: str, *arguments: object) -> Done:
    """What `python -m module arguments` does."""
    out, err = io.StringIO(), io.StringIO()
    with patch.object(sys, "argv", [module, *map(str, arguments)]), warnings.catch_warnings():
        # A module that the tests have imported before is run once more, as they mean to.
        warnings.filterwarnings("ignore", ".*found in sys.modules", RuntimeWarning)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                runpy.run_module(module, run_name="__main__")
            code = 0
        except SystemExit as end:
            if isinstance(end.code, str):
                err.write(end.code + "\n")
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Done(code, out.getvalue(), err.getvalue())
