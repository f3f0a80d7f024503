"""A Kubeflow Pipelines to talk to: a real HTTP server with the API's part that runs need, strict about what it is told."""

import json
import re
import ssl
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api
from google.protobuf import json_format  # type: ignore[import-untyped]
from kfp.pipeline_spec import pipeline_spec_pb2

Json = dict[str, Any]
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_KINDS: dict[str, Any] = {
    "STRING": str,
    "NUMBER_DOUBLE": (int, float),
    "NUMBER_INTEGER": int,
    "BOOLEAN": bool,
}


class Refusal(Exception):  # noqa: N818 (of the server, not an error of ours)
    """An answer that is not 200."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status = status


@dataclass
class Run:
    """A run, whose steps end one at each look at it.

    Attributes:
        ends: how a step ends, where that is not SUCCEEDED.
        when_canceled: its state then; some servers call it FAILED.
    """

    id: str
    body: Json
    steps: list[str]
    ends: dict[str, str]
    looks: int = 0
    canceled: bool = False
    when_canceled: str = "CANCELED"

    @property
    def done(self) -> int:
        """How many steps have ended."""
        failing = next((at for at, name in enumerate(self.steps, 1) if self.ends.get(name) == "FAILED"), None)
        return min(self.looks, failing or len(self.steps))

    @property
    def state(self) -> str:
        if self.canceled:
            return self.when_canceled
        if self.done and self.ends.get(self.steps[self.done - 1]) == "FAILED":
            return "FAILED"
        return "SUCCEEDED" if self.done == len(self.steps) else "RUNNING"

    def as_json(self) -> Json:
        ended = {"finished_at": _time(self.done)} if self.state != "RUNNING" else {}
        return {
            **self.body,
            "run_id": self.id,
            "state": self.state,
            "state_history": [{"state": "RUNNING"}, *([{"state": "CANCELING"}] if self.canceled else [])],
            "created_at": _time(0),
            **ended,
            "run_details": {"task_details": self._tasks()},
        }

    def pod(self, name: str) -> str:
        """The pod that runs a step's program."""
        return f"{self.id}-system-container-impl-{self._number(name)}"

    def _tasks(self) -> list[Json]:
        """Those of Argo's graph, as the server tells of them: none says which node it is, but which are below it."""
        tasks = [_task("root", "RUNNING", 0, [f"{self.id}-1"]), _task("root-driver", "SUCCEEDED", 0, [])]
        for at, name in enumerate(self.steps[: self.done + (self.state == "RUNNING")]):
            state = self.ends.get(name, "SUCCEEDED") if at < self.done else "RUNNING"
            following = [f"{self.id}-{self._number(after)}" for after in self.steps[at + 1 : at + 2]]
            tasks += [
                _task(f"{name}-driver", "SUCCEEDED", at, [f"{self.id}-2"]),
                _task(name, state, at, [f"{self.id}-{self._number(name)}"]),
                _task("executor", state, at, following),
            ]
        return [{**task, "task_id": f"task-{at}"} for at, task in enumerate(tasks)]

    def _number(self, name: str) -> int:
        return zlib.crc32(name.encode())


@dataclass
class FakeKubeflow:
    """What stands behind the server.

    Attributes:
        multi_user: whether runs lie in namespaces.
        token: without which it answers 401; none if empty.
        forbidden: namespaces that nobody may use.
        ends: how steps of runs end that are started from now on.
        failing: statuses of the next answers to questions about a run.
        login: whether it shows a page to log in, whatever is asked.
        logs: what pods have written.
        seen: requests, as METHOD PATH.
    """

    multi_user: bool = True
    token: str = ""
    forbidden: set[str] = field(default_factory=set)
    ends: dict[str, str] = field(default_factory=dict)
    failing: list[int] = field(default_factory=list)
    login: bool = False
    logs: dict[str, str] = field(default_factory=dict)
    experiments: dict[str, Json] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, query: Json, body: Any, authorization: str) -> Any:
        self.seen.append(f"{method} {path}")
        if self.token and authorization != f"Bearer {self.token}":
            raise Refusal(401, "Request header error: there is no user identity header.")
        if path == "/apis/v2beta1/healthz":
            return {"commit_sha": "1", "tag_name": "2.17.0", "multi_user": self.multi_user}
        if path == "/k8s/pod/logs" or path.startswith("/apis/v1alpha1/"):
            return self._log(path, query)
        if found := re.fullmatch(r"/apis/v2beta1/runs/([^/:]+)(:terminate)?", path):
            return self._run(found[1], method, bool(found[2]))
        made = {("POST", "experiments"): self._make_experiment, ("POST", "runs"): self._make_run}
        kind = path.removeprefix("/apis/v2beta1/")
        if (method, kind) in made:
            return made[method, kind](body)
        if method == "GET" and kind == "experiments":
            self._check_namespace(query.get("namespace", ""))
            found_ones = [e for e in self.experiments.values() if _wanted(query) in (None, e["display_name"])]
            return {"experiments": found_ones} if found_ones else {}
        if method == "GET" and kind == "runs":
            runs = [r for r in self.runs.values() if r.body["experiment_id"] == query["experiment_id"]]
            runs = [r for r in runs if _wanted(query) in (None, r.body["display_name"])]
            if query.get("sort_by") == "created_at desc":
                runs.reverse()
            return {"runs": [r.as_json() for r in runs]} if runs else {}
        raise Refusal(404, f"no such path {path}")

    def _check_namespace(self, namespace: str) -> None:
        if self.multi_user and not namespace:
            raise Refusal(400, "Invalid input error: a namespace is needed in multi-user mode")
        if not self.multi_user and namespace:
            raise Refusal(400, "Invalid input error: a namespace is for multi-user mode only")
        if namespace in self.forbidden:
            raise Refusal(403, f"User is not authorized in {namespace}")

    def _make_experiment(self, body: Json) -> Json:
        check_model(body, "V2beta1Experiment")
        self._check_namespace(body.get("namespace", ""))
        made = {**body, "experiment_id": f"experiment-{len(self.experiments)}"}
        self.experiments[made["experiment_id"]] = made
        return made

    def _make_run(self, body: Json) -> Json:
        check_run(body)
        if body["experiment_id"] not in self.experiments:
            raise Refusal(404, "no such experiment")
        run = Run(f"run-{len(self.runs)}", body, executed(body["pipeline_spec"]), dict(self.ends))
        self.runs[run.id] = run
        return run.as_json()

    def _run(self, run_id: str, method: str, terminate: bool) -> Json:
        if run_id not in self.runs:
            raise Refusal(404, f"ResourceNotFoundError: Run {run_id} not found")
        if self.failing:
            raise Refusal(self.failing.pop(0), "a bad day")
        run = self.runs[run_id]
        if terminate:
            if run.state != "RUNNING":
                raise Refusal(400, f"Run {run_id} has ended")
            run.canceled = True
            return {}
        answer = run.as_json()
        run.looks += 1
        return answer

    def _log(self, path: str, query: Json) -> str:
        pod = query.get("podname") or path.split("/")[-2]
        if pod not in self.logs:
            raise Refusal(404, "no such pod")
        return self.logs[pod]


def check_run(body: Json) -> None:
    """Refuse a run that the server would not take: by the models of kfp-server-api, and by its pipeline's own inputs."""
    check_model(body, "V2beta1Run")
    if not body.get("display_name") or "pipeline_spec" not in body:
        raise Refusal(400, "a run needs a name and a pipeline")
    package = body["pipeline_spec"]
    spec = json_format.ParseDict(package["pipeline_spec"], pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(package["platform_spec"], pipeline_spec_pb2.PlatformSpec())
    wanted = json_format.MessageToDict(spec.root)["inputDefinitions"]["parameters"]
    given = body.get("runtime_config", {}).get("parameters", {})
    if unknown := given.keys() - wanted.keys():
        raise Refusal(400, f"unknown parameters {sorted(unknown)}")
    for name, parameter in wanted.items():
        if name in given and not isinstance(given[name], _KINDS[parameter["parameterType"]]):
            raise Refusal(400, f"parameter {name} is not of type {parameter['parameterType']}")
        if name not in given and not parameter.get("isOptional"):
            raise Refusal(400, f"parameter {name} is missing")


def check_model(body: Any, model: str) -> None:
    """Refuse what a model of kfp-server-api does not have, or has as another type."""
    kind = getattr(kfp_server_api, model)
    names = {written: name for name, written in kind.attribute_map.items()}
    if not isinstance(body, dict):
        raise Refusal(400, f"{model} is an object")
    for written, value in body.items():
        if written not in names:
            raise Refusal(400, f"{model} has no field {written}")
        inner = kind.openapi_types[names[written]]
        if hasattr(kfp_server_api, inner) and getattr(kfp_server_api, inner).attribute_map:
            check_model(value, inner)
        elif inner == "str" and not isinstance(value, str):
            raise Refusal(400, f"{model}.{written} is a text")


def executed(package: Json) -> list[str]:
    """Steps in an order in which they could run: of the root's graph and of those below it, where nothing is said of branches."""
    spec = package["pipeline_spec"]

    def of(component: Json) -> Iterator[str]:
        tasks = component["dag"]["tasks"]
        waiting = dict(tasks)
        while waiting:
            ready = [n for n, t in waiting.items() if not set(t.get("dependentTasks", ())) & waiting.keys()]
            for name in sorted(ready):
                below = spec["components"][waiting.pop(name)["componentRef"]["name"]]
                yield from of(below) if "dag" in below else (name,)

    return list(of(spec["root"]))


@contextmanager
def kubeflow(
    fake: FakeKubeflow, certificate: tuple[Path, Path] | None = None, port: int = 0
) -> Iterator[str]:
    """Serve it on loopback; the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            if fake.login:
                return self._send(200, b"<!doctype html><title>Log in</title>", "text/html")
            try:
                found = fake.answer(
                    self.command, parts.path, query, body, self.headers.get("Authorization", "")
                )
            except Refusal as refusal:
                told = {"error": str(refusal), "code": refusal.status, "message": str(refusal)}
                return self._send(refusal.status, json.dumps(told).encode())
            if isinstance(found, str):
                return self._send(200, found.encode(), "text/plain")
            return self._send(200, json.dumps(found).encode())

        do_GET = do_POST = _answer  # noqa: N815

        def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _task(name: str, state: str, at: int, children: list[str]) -> Json:
    ended = {"end_time": _time(at + 1)} if state != "RUNNING" else {"end_time": "0001-01-01T00:00:00Z"}
    return {
        "display_name": name,
        "state": state,
        "create_time": _time(at),
        "start_time": _time(at),
        **ended,
        "child_tasks": [{"pod_name": child} for child in children],
    }


def _time(minutes: int) -> str:
    return (BEGINNING + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _wanted(query: Json) -> str | None:
    """The name that a filter asks for."""
    if "filter" not in query:
        return None
    (predicate,) = json.loads(query["filter"])["predicates"]
    if (predicate["operation"], predicate["key"]) != ("EQUALS", "display_name"):
        raise Refusal(400, f"filter {predicate} is not known")
    return str(predicate["string_value"])
