"""Where runs are that a command is about: on Kubeflow where one is named, else on this machine."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.runners.kubeflow.access import EXPERIMENT, Access
from services import settings
from services.codestore.home import users_data

if TYPE_CHECKING:
    from pipelines.runners.kubeflow.client import Kubeflow
    from pipelines.runners.runs import Runs


def add_kubeflow(parser: argparse.ArgumentParser) -> None:
    """Let a parser take which Kubeflow is meant; who asks is in the environment (KF_PIPELINES_TOKEN and others)."""
    parser.add_argument(
        "--endpoint", help=f"address of Kubeflow, instead of {settings.KF_PIPELINES_ENDPOINT.name}"
    )
    parser.add_argument(
        "--namespace", help=f"in which runs run there, instead of {settings.KF_PIPELINES_NAMESPACE.name}"
    )
    parser.add_argument("--experiment", default=EXPERIMENT, help="in which runs are kept together there")


def add_places(parser: argparse.ArgumentParser) -> None:
    """Let a parser take where runs are."""
    parser.add_argument(
        "--home", type=Path, help="runs of this machine that have this home, even if a Kubeflow is named"
    )
    add_kubeflow(parser)


def kubeflow(given: argparse.Namespace) -> "Kubeflow":
    """The Kubeflow that is meant.

    Raises:
        TaxohashError: none is named, or it does not answer.
    """
    access = Access.from_environment(given.endpoint, given.namespace)
    from pipelines.runners.kubeflow.client import Kubeflow

    return Kubeflow(access, given.experiment)


def runs(given: argparse.Namespace) -> "Runs":
    """The runs that are meant.

    Raises:
        TaxohashError: as `kubeflow`.
    """
    if given.home is None and (given.endpoint or settings.KF_PIPELINES_ENDPOINT.of()):
        from pipelines.runners.kubeflow.runs import KubeflowRuns

        return KubeflowRuns(kubeflow(given))
    from pipelines.runners.local_runs import LocalRuns

    return LocalRuns(home(given).resolve())


def home(given: argparse.Namespace) -> Path:
    """Where runs of this machine keep what they make: --home, else among the user's data."""
    return given.home or users_data() / "pipelines"
