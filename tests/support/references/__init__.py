"""Every reference in rendered manifests that leads nowhere, as a sentence."""

from collections.abc import Callable, Iterator

from tests.support.manifests import Manifest
from tests.support.references import mounted, ports, reached, selected, told
from tests.support.references.rendering import Rendered

CHECKS: tuple[Callable[[Rendered], Iterator[str]], ...] = (
    selected.workloads,
    selected.services,
    selected.budgets,
    selected.spread,
    selected.policies,
    ports.containers,
    ports.probes,
    ports.services,
    ports.monitors,
    ports.ways_in,
    ports.scaled,
    ports.addresses,
    ports.store,
    mounted.variables,
    mounted.volumes,
    mounted.files,
    mounted.common,
    mounted.external,
    mounted.used,
    mounted.accounts,
    mounted.certificates,
    mounted.steps,
    told.variables,
    told.namespace,
    told.collection,
    told.programs,
    reached.pods,
    reached.names,
    reached.clients,
    reached.monitored,
    reached.closed,
)


def broken(manifests: list[Manifest]) -> list[str]:
    """What refers to nothing, in a namespace's manifests; in order, each once."""
    rendered = Rendered(manifests)
    return sorted({sentence for check in CHECKS for sentence in check(rendered)})
