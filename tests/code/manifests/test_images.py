"""The recipes of images, as text: what the manifests expect of them, and what may not be in them."""

import re
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

import taxohash
from pipelines.shared.placement import IMAGE
from tests.support.containerfiles import RECIPES, Recipe, recipe
from tests.support.manifests import ROOT

IMAGES = ("serving", "pipelines")
USERS = {"serving": ("retrieval",), "pipelines": ("trigger", "backfill")}  # which workloads run an image


@pytest.fixture(params=IMAGES)
def image(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def told(image: str) -> Recipe:
    return recipe(image)


def pod(workload: str) -> dict[str, Any]:
    text = (ROOT / "manifests" / "base" / workload / "deployment.yaml").read_text()
    spec: dict[str, Any] = yaml.safe_load(text)["spec"]["template"]["spec"]
    return spec


def test_the_base_is_named_by_whoever_builds_and_is_the_only_image_from_elsewhere(told: Recipe) -> None:
    assert told.arguments == ("BASE", "BASE_DIGEST")  # without a default
    first, *rest = told.stages
    assert first.origin.endswith("${BASE_DIGEST:+@$BASE_DIGEST}")
    assert re.match(r"\$\{BASE:-localhost/[a-z-]*name-the-base-image[a-z-]*\}", first.origin)
    names = [stage.name for stage in told.stages]
    for number, stage in enumerate(rest, 1):
        assert stage.origin in names[:number]
    assert "BASE_DIGEST:?give the digest" in told["install"].all("RUN")[0]


def test_no_address_digest_or_secret_is_written(image: str) -> None:
    for file in RECIPES.iterdir():
        text = file.read_text()
        assert not re.search(r"sha256:[0-9a-f]|https?://|index-url *=|token|password", text), file


def test_what_is_downloaded_is_found_by_a_secret_and_pinned(told: Recipe) -> None:
    runs = [
        run
        for stage in told.stages
        for run in stage.all("RUN")
        if re.search(r"\bpip\b.*(install|wheel) ", run)
    ]
    assert len(runs) >= 2
    for run in runs:
        if "--no-index" not in run:
            assert "--mount=type=secret,id=pip,target=/etc/pip.conf" in run
        assert "--no-cache-dir" in run
        assert re.search(r"-c /build/constraints\.txt|-r /build/sbom\.txt|--no-deps", run)
    for line in (RECIPES / "sbom.txt").read_text().splitlines()[1:]:
        assert [specifier.operator for specifier in Requirement(line).specifier] == ["=="]


def test_nothing_that_installs_or_lists_stays_in_the_image(told: Recipe) -> None:
    kept = told.kept()
    assert [stage.name for stage in kept] == ["", "app", "base"]
    copied = [words for stage in kept for words in stage.all("COPY")]
    assert "--from=sbom /sbom.cdx.json /usr/share/taxohash/sbom.cdx.json" in copied
    for words in copied:
        assert re.fullmatch(r"--from=\w+ (\S+) (\S+)", words)
        assert not re.search(r" /(pip|sbom|build|wheels)\b", words.replace(" /sbom.cdx.json", ""))
    installed = [run for stage in kept for run in stage.all("RUN") if "apt-get" in run]
    for run in installed:
        assert re.search(r"install -y --no-install-recommends git \s*&& rm -rf /var/lib/apt/lists/\*", run)
    assert len(installed) == (told == recipe("pipelines"))


def test_the_user_is_the_one_of_the_pods(image: str, told: Recipe) -> None:
    user = told.kept()[0].only("USER")
    for workload in USERS[image]:
        context = pod(workload)["securityContext"]
        assert user == f"{context['runAsUser']}:{context['runAsGroup']}"
    number = user.partition(":")[0]
    assert f":x:{number}:{number}:" in " ".join(
        told["app"].all("RUN")
    )  # in passwd: Python asks for the home of its user


def test_the_service_starts_by_itself_as_its_pods_start_it() -> None:
    told = recipe("serving")
    (container,) = pod("retrieval")["containers"]
    assert told.command() == container["args"]
    last = told.kept()[0]
    assert last.only("WORKDIR") == container["workingDir"]
    assert last.only("EXPOSE") == str(container["ports"][0]["containerPort"])
    wanted = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert told.variables()["PYTHONPATH"] == wanted["PYTHONPATH"]
    bento = told.variables()["BENTO_PATH"]
    assert bento in told.command()
    assert f"--from=bento . {bento}" in told["packed"].all("COPY")
    assert not last.all("ENTRYPOINT")  # the manifests' args are the whole command


def test_programs_of_the_pods_are_found() -> None:
    assert recipe("pipelines").variables()["PATH"].startswith("/app/.venv/bin:")
    for workload in USERS["pipelines"]:
        words = " ".join(pod(workload)["containers"][0]["args"])
        assert re.search(r"\btaxohash (trigger|pipeline)\b", words)
    requires = (ROOT / "distributions" / "platform" / "pyproject.toml").read_text()
    assert 'trigger = "services.trigger.main:main"' in requires
    (run,) = [run for run in recipe("pipelines")["install"].all("RUN") if "uninstall" in run]
    assert '"/build/distributions/platform[serve,pipelines]"' in run


def test_bytecode_does_not_depend_on_when_it_was_made(told: Recipe) -> None:
    compiled = [run for stage in told.stages for run in stage.all("RUN") if "compileall" in run]
    assert len(compiled) == 2
    for run in compiled:
        assert "--invalidation-mode unchecked-hash" in run


def test_only_what_the_image_is_made_of_is_sent(image: str) -> None:
    ignored = [
        line
        for line in (RECIPES / f"{image}.Containerfile.dockerignore").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert ignored[0] == "*"
    allowed = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    for name in allowed:
        assert (ROOT / name).exists()
    for stage in recipe(image).stages:
        for words in stage.all("COPY"):
            sources = [] if words.startswith("--from") else words.split()[:-1]
            for source in sources:
                assert source == "." or any(f"{source}/".startswith(f"{name}/") for name in allowed)


def test_the_image_of_pipelines_is_called_as_their_steps_call_it() -> None:
    script = (ROOT / "scripts" / "images").read_text()
    assert "docker.io/taxohash/python-train:$version" in script
    assert f"taxohash/python-train:{taxohash.__version__}" == IMAGE
