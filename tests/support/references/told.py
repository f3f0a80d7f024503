"""What programs are told: variables that they know, values that they take, one collection and one image for all."""

from collections import Counter
from collections.abc import Iterator

from services import settings
from tests.support.manifests import Manifest
from tests.support.references.known import ANSWERED_BY_IMAGE, SETTINGS, VARIABLES, images
from tests.support.references.rendering import Pod, Rendered, named

PROGRAM = "taxohash/python-train"  # of pipelines, trigger, backfill and what else runs `taxohash`


def variables(rendered: Rendered) -> Iterator[str]:
    """Variables are those that somebody reads, and their values such as can be."""
    for pod in rendered.pods:
        for container in pod.containers:
            own, command = (
                pod.named(container),
                " ".join(_named_in(rendered, *alike) for alike in _told_alike(rendered, pod, container)),
            )
            names = [variable["name"] for variable in container.get("env", [])]
            for name in sorted({name for name in names if names.count(name) > 1}):
                yield f"{own}: {name} is said twice"
            for name in {*names, *rendered.environment(container)} - VARIABLES:
                if name not in SETTINGS and name not in command and not _of_server(container["image"], name):
                    yield f"{own}: nobody reads {name}"
            for fault in _values(rendered.environment(container)):
                yield f"{own}: {fault}"
    for config in rendered.placement.settings:
        for fault in _values(rendered.data(config.name)):
            yield f"ConfigMap {config.name}: {fault}"


def _told_alike(rendered: Rendered, pod: Pod, container: Manifest) -> Iterator[tuple[Pod, Manifest]]:
    """A container, and those that get variables of the same ConfigMaps, with their pods."""
    yield pod, container
    own = _config_maps(container)
    for other in rendered.pods:
        yield from ((other, one) for one in other.containers if own & _config_maps(one))


def _config_maps(container: Manifest) -> set[str]:
    return {own["configMapRef"]["name"] for own in container.get("envFrom", []) if "configMapRef" in own}


def _named_in(rendered: Rendered, pod: Pod, container: Manifest) -> str:
    """Where a container's own variables are named: its command with the scripts that it runs, and other variables."""
    values = [variable.get("value", "") for variable in container.get("env", [])]
    scripts = rendered.files(pod, container).values()
    return " ".join([*container.get("command", []), *container.get("args", []), *values, *scripts])


def _of_server(image: str, name: str) -> bool:
    """Whether a program that is not ours reads a variable, by the words that its variables begin with."""
    return any(word in image and name.startswith("REDIS_") for word in ANSWERED_BY_IMAGE)


def _values(environment: dict[str, str]) -> Iterator[str]:
    for name in environment.keys() & SETTINGS.keys():
        if text := environment[name].strip():
            try:
                SETTINGS[name].form.parse(text)
            except ValueError:
                yield f"{name} is {text!r}: it is {SETTINGS[name].form.wanted}"


def namespace(rendered: Rendered) -> Iterator[str]:
    """All is in one namespace."""
    found = [
        (named(m), m["metadata"]["namespace"]) for m in rendered.manifests if "namespace" in m["metadata"]
    ]
    ((usual, _),) = Counter(name for _, name in found).most_common(1)
    for own, name in found:
        if name != usual:
            yield f"{own} is in the namespace {name}, alone"


def collection(rendered: Rendered) -> Iterator[str]:
    """Services read the collection that pipelines fill."""
    name = settings.COLLECTION.name
    found = {
        named(m): m["data"][name] for m in rendered.of("ConfigMap").values() if name in m.get("data", {})
    }
    found |= {
        pod.named(container): rendered.environment(container)[name]
        for pod in rendered.pods
        for container in pod.containers
        if name in rendered.environment(container)
    }
    ours = [rendered.data(config.name).get(name) for config in rendered.placement.settings]
    for where, text in found.items():
        if text != ours[0]:
            yield f"{where}: the collection {text} is not that of the pipelines, {ours[0]}"
    if ours != [settings.COLLECTION.default]:
        yield f"the collection of the pipelines is {ours[0]}, and that of the compiled ones {settings.COLLECTION.default}"


def programs(rendered: Rendered) -> Iterator[str]:
    """Images are known, of one version each, and steps run in the one that submits them."""
    versions: dict[str, set[str]] = {}
    for pod in rendered.pods:
        for container in pod.containers:
            name, version = split(container["image"])
            known = next((own for own in images() if name == own or name.endswith(f"/{own}")), None)
            if known is None:
                yield f"{pod.named(container)}: the image {name} is not known"
            if not version or version == "latest":
                yield f"{pod.named(container)}: the image {name} is of no version"
            versions.setdefault(known or name, set()).add(container["image"])
            told = rendered.environment(container).get(settings.IMAGE.name)
            if told is not None and told != container["image"]:
                yield f"{pod.named(container)} runs in {container['image']}, its steps in {told}"
    for name, found in versions.items():
        if len(found) > 1:
            yield f"the image {name} is of {len(found)} versions: {', '.join(sorted(found))}"


def split(image: str) -> tuple[str, str]:
    """An image's name, and its tag or digest."""
    name, _, digest = image.partition("@")
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        return head, digest or tag
    return name, digest
