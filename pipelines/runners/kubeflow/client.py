"""Kubeflow Pipelines by kfp's own client: each question is one method, and what goes wrong is one line.

kfp's client greets the server five times where it is not told a namespace, prints what it does, and waits for ever; so
questions go to the generated calls that it carries, with a time in which they must be answered.
"""

import contextlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import kfp_server_api
import urllib3
import yaml
from kfp.client import Client, ServiceAccountTokenVolumeCredentials

from pipelines.runners.kubeflow.access import EXPERIMENT, Access
from pipelines.runners.kubeflow.states import parameters_of, pipeline_of
from services import settings
from taxohash.errors import TaxohashError, UnavailableError
from taxohash.runtime.terminal import shortened

T = TypeVar("T")
SECONDS = (5.0, 20.0)  # to connect, and to be answered; what only reads is tried four times
_IDENTITY = ("dataset_md5", "collection")  # what a run of a name is of, whatever the rest


class UnreachableError(UnavailableError):
    """Kubeflow does not answer now; it may later."""


class Kubeflow:
    """One Kubeflow, as one user sees it.

    Raises (every method):
        UnreachableError: it does not answer, or not now.
        TaxohashError: it refuses; the message says what to do.
    """

    def __init__(self, access: Access, experiment: str = EXPERIMENT) -> None:
        """Greet it.

        Args:
            experiment: the name under which runs are kept together.
        """
        self.access = access
        self._name = experiment
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # which tells of each attempt
        with warnings.catch_warnings(), self._one_line("it"):
            warnings.simplefilter("ignore")
            self._client = Client(
                host=access.endpoint,
                namespace="-",  # any, so that it does not ask for one: each call here names its own
                existing_token=access.token,
                credentials=ServiceAccountTokenVolumeCredentials(str(access.token_file))
                if access.token_file
                else None,
                cookies=access.cookies,
                ssl_ca_cert=str(access.ca_cert) if access.ca_cert else None,
            )
        health = self._asked("it", self._client.healthzs.healthz_service_get_healthz)
        if health.multi_user is None:  # a page, for instance
            raise TaxohashError(
                f"what answers at {access.endpoint} is not Kubeflow Pipelines, or asks for a login: correct "
                f"{settings.KF_PIPELINES_ENDPOINT.name}, or set {settings.KF_PIPELINES_TOKEN.name} or {settings.KF_PIPELINES_COOKIES.name}"
            )
        self._namespace = access.namespace if health.multi_user else None

    def start(
        self, package: Path, name: str, parameters: Mapping[str, Any], service_account: str | None = None
    ) -> str:
        """Start a compiled pipeline; the run's id. A run that has this name already is that run: nothing is started twice.

        Args:
            package: the file is called as the pipeline, but for its ending.
            service_account: of the run's pods; Kubeflow's own if left out.

        Raises:
            TaxohashError: besides, the run of that name is of another pipeline, data version or collection.
        """
        experiment = self._experiment() or self._made()
        if (found := self._named(name, experiment)) is not None:
            run = self.run(str(found.run_id))
            _require_same(run, package.stem, parameters)
            return str(run.run_id)
        body = kfp_server_api.V2beta1Run(
            experiment_id=experiment,
            display_name=name,
            pipeline_spec=_pipeline_in(package),
            runtime_config=kfp_server_api.V2beta1RuntimeConfig(parameters=dict(parameters)),
            service_account=service_account,
        )
        made = str(self._asked(f"run {name}", self._client.runs.run_service_create_run, run=body).run_id)
        first = self._named(name, experiment)
        if first is None or first.run_id == made:
            return made
        self.cancel(made)  # somebody else started it at the same moment
        return str(first.run_id)

    def find(self, name: str) -> str:
        """The id of a run, by its name or its id."""
        experiment = self._experiment()
        if experiment and (found := self._named(name, experiment)) is not None:
            return str(found.run_id)
        return str(self.run(name).run_id)

    def run(self, run_id: str) -> Any:
        """All that it says of a run (V2beta1Run)."""
        return self._asked(f"run {run_id}", self._client.runs.run_service_get_run, run_id=run_id)

    def runs(self, most: int = 20) -> list[Any]:
        """The last runs, the newest first."""
        if (experiment := self._experiment()) is None:
            return []
        listed = self._asked(
            "it",
            self._client.runs.run_service_list_runs,
            experiment_id=experiment,
            page_size=most,
            sort_by="created_at desc",
        )
        return listed.runs or []

    def cancel(self, run_id: str) -> None:
        """End a run; one that has ended is refused."""
        self._asked(f"run {run_id}", self._client.runs.run_service_terminate_run, run_id=run_id)

    def address(self, run_id: str) -> str:
        """Of the page that shows a run."""
        return f"{self.access.ui}/#/runs/details/{run_id}"

    def log(self, run_id: str, pod: str) -> str:
        """What a pod has written, as long as Kubernetes keeps it."""
        where = {"podname": pod, "runid": run_id, "podnamespace": self._namespace or "kubeflow"}
        paths: tuple[tuple[str, dict[str, str]], ...] = (
            ("/k8s/pod/logs", where),  # of the pages' server
            (f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log", {}),  # of the API's
        )
        for path, query in paths:
            with contextlib.suppress(_NotFoundError):
                return self._text(path, query)
        raise TaxohashError(f"the log of pod {pod} is not kept any more: look at {self.address(run_id)}")

    def _text(self, path: str, query: Mapping[str, str]) -> str:
        call = self._client._run_api.api_client.call_api  # with the credentials of all other calls
        with self._one_line("the log"):
            answer = call(
                path,
                "GET",
                query_params=list(query.items()),
                auth_settings=["Bearer"],
                _return_http_data_only=True,
                _preload_content=False,
                _request_timeout=SECONDS,
            )
        text = answer.data.decode(errors="replace")
        if text.lstrip().lower().startswith("<!doctype html"):
            raise _NotFoundError(path)  # a page, which servers show for what they do not know
        return str(text)

    def _experiment(self) -> str | None:
        """The id of the experiment of that name, None where there is none."""
        listed = self._asked(
            "it",
            self._client.experiments.experiment_service_list_experiments,
            filter=_equals("display_name", self._name),
            **self._scope(),
        )
        return str(listed.experiments[0].experiment_id) if listed.experiments else None

    def _made(self) -> str:
        """The id of an experiment of that name, which is made."""
        made = self._asked(
            f"experiment {self._name}",
            self._client.experiments.experiment_service_create_experiment,
            experiment=kfp_server_api.V2beta1Experiment(display_name=self._name, namespace=self._namespace),
        )
        return str(made.experiment_id)

    def _named(self, name: str, experiment: str) -> Any | None:
        """The run of a name; of several the first."""
        listed = self._asked(
            "it",
            self._client.runs.run_service_list_runs,
            experiment_id=experiment,
            filter=_equals("display_name", name),
            sort_by="created_at asc",
        )
        return listed.runs[0] if listed.runs else None

    def _scope(self) -> dict[str, str]:
        return {"namespace": self._namespace} if self._namespace else {}

    def _asked(self, what: str, call: Callable[..., T], **given: Any) -> T:
        with self._one_line(what):
            return call(**given, _request_timeout=SECONDS)

    @contextmanager
    def _one_line(self, what: str) -> Iterator[None]:
        """Say in one line what was wrong with a question about something."""
        host = self.access.endpoint
        try:
            yield
        except kfp_server_api.ApiException as error:
            raise self._refusal(what, error) from None
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", None) or error
            if isinstance(cause, urllib3.exceptions.SSLError):
                raise self._untrusted(cause) from None
            raise UnreachableError(
                f"Kubeflow at {host} does not answer ({_short(cause)}): look whether it runs, and correct "
                f"{settings.KF_PIPELINES_ENDPOINT.name}"
            ) from None
        except OSError as error:  # of the files with token and certificates
            raise TaxohashError(
                f"{error.filename or 'a file'} cannot be read ({error.strerror or error}): look at its permissions"
            ) from None

    def _refusal(self, what: str, error: Any) -> TaxohashError:
        host, status = self.access.endpoint, error.status
        if not status:  # of the client itself
            return self._untrusted(error.reason)
        if status in (401, 403):
            where = f" in namespace {self._namespace}" if getattr(self, "_namespace", None) else ""
            return TaxohashError(f"Kubeflow at {host} refuses {self._who(where, status)}")
        if status == 404:
            return _NotFoundError(f"{what} is not in Kubeflow at {host}: look at `taxohash pipeline status`")
        told = _short(_message(error.body) or error.reason)
        if status >= 500 or status == 429:
            return UnreachableError(f"Kubeflow at {host} fails ({status}: {told}): try again")
        return TaxohashError(f"Kubeflow at {host} refuses {what} ({status}: {told})")

    def _untrusted(self, reason: object) -> TaxohashError:
        return TaxohashError(
            f"the certificate of Kubeflow at {self.access.endpoint} is not trusted ({_short(reason)}): set "
            f"{settings.KF_PIPELINES_CA_CERT.name} to a file with those that vouch for it"
        )

    def _who(self, where: str, status: int) -> str:
        access = self.access
        token, cookies = settings.KF_PIPELINES_TOKEN.name, settings.KF_PIPELINES_COOKIES.name
        if not (access.token or access.token_file or access.cookies):
            return f"callers without a name{where} ({status}): set {token}, {settings.KF_PIPELINES_SA_TOKEN_PATH.name} or {cookies}"
        what = (
            f"the token in {access.token_file}"
            if access.token_file
            else f"the token of {token}"
            if access.token
            else f"the cookies of {cookies}"
        )
        return f"{what}{where} ({status}): renew it, or have its owner allowed there"


class _NotFoundError(TaxohashError):
    """There is no such thing."""


def _require_same(run: Any, pipeline: str, parameters: Mapping[str, Any]) -> None:
    """Refuse a run that somebody else means by its name."""
    before = {name: value for name, value in parameters_of(run).items() if name in _IDENTITY}
    other = [name for name, value in before.items() if parameters.get(name, value) != value]
    if pipeline_of(run) not in (pipeline, ""):
        other.append("pipeline")
    if other:
        raise TaxohashError(
            f"run {run.display_name} is there already, of another {other[0]}: give yours another name by --run"
        )


def _pipeline_in(package: Path) -> dict[str, Any]:
    """What the API takes of a compiled pipeline."""
    spec, platform = yaml.load_all(package.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return {"pipeline_spec": spec, "platform_spec": platform}


def _equals(key: str, value: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "string_value": value}]})


def _message(body: object) -> str:
    """What the server says of an error."""
    try:
        found = json.loads(body) if isinstance(body, str | bytes) else {}
        return str(found.get("message") or found.get("error") or "")
    except (ValueError, AttributeError):
        return ""


def _short(text: object) -> str:
    return shortened(" ".join(str(text).split()), 200)
