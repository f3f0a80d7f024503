"""What a process exports, held against the catalogue."""

import subprocess
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from services import metrics
from services.metrics import CATALOGUE, Metric, Service
from tests.support.monitoring import PROGRAMS

# Of retrieval health: a generation without reference, canaries or calibration has not all of them.
OF_HEALTH = frozenset(name for name, metric in CATALOGUE.items() if metrics.SERVED in metric.labels)


def faults(text: str, service: Service, missing: frozenset[str] = frozenset()) -> list[str]:
    """How a scrape of a service and the catalogue differ, a line each.

    Args:
        missing: metrics that may be so.
    """
    own = {name: metric for name, metric in CATALOGUE.items() if service in metric.services}
    kinds = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE "))
    found = [f"{name} is not exported" for name in own.keys() - kinds.keys() - missing]
    found += [f"{name} is not catalogued" for name in kinds.keys() - own.keys()]
    found += [
        f"{name} is a {kinds[name]}, not a {own[name].kind}"
        for name in kinds.keys() & own.keys()
        if kinds[name] != own[name].kind
    ]
    for family in text_string_to_metric_families(text):
        name = family.name + "_total" * (family.type == "counter")
        if name in own:
            found += _faults_of(family, own[name])
    return sorted(found)


def _faults_of(family: Family, metric: Metric) -> Iterator[str]:
    names = {label.name for label in metric.labels}
    values = defaultdict[str, set[str]](set)
    if family.documentation != metric.meaning and metric.name.startswith("taxohash_"):
        yield f"{metric.name} is told to be {family.documentation!r}"
    if len(family.samples) > metric.most_series:
        yield f"{metric.name} has {len(family.samples)} series, not {metric.most_series} at most"
    for sample in family.samples:
        if sample.name not in metric.samples:
            yield f"{sample.name} is no series of {metric.name}"
        labels = dict(sample.labels)
        if sample.name.endswith("_bucket") and metric.kind == "histogram":
            ends = {str(end) for end in metric.buckets} | {"+Inf"}
            if labels.pop("le") not in ends:
                yield f"{sample.name} has a bucket of its own"
        if labels.keys() != names:
            yield f"{sample.name} has the labels {sorted(labels)}, not {sorted(names)}"
        for name, value in labels.items():
            values[name].add(value)
    for label in metric.labels:
        told = values[label.name]
        if len(told) > label.bound or (label.values and not told <= set(label.values)):
            yield f"{metric.name} has {label.name} {sorted(told)}, not {label.values or label.most}"


def linted(text: str) -> str:
    """What promtool says of a scrape; nothing where all is well, or it is not here."""
    if not PROGRAMS.is_dir():
        return ""
    command = [str(PROGRAMS / "promtool"), "check", "metrics"]
    return subprocess.run(command, input=text, stderr=subprocess.PIPE, text=True, check=False).stderr
