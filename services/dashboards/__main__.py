"""Write manifests/monitoring/dashboards anew: python -m services.dashboards."""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from services.dashboards import pipelines, quality, service, store
from taxohash.runtime.atomic import write_text
from taxohash.runtime.sources import ROOT

OUT = ROOT / "manifests" / "monitoring" / "dashboards"


def dashboards() -> list[Dashboard]:
    """All of them."""
    return [service.dashboard(), quality.dashboard(), store.dashboard(), pipelines.dashboard()]


def text_of(dashboard: Dashboard) -> str:
    """A dashboard as Grafana reads it."""
    return json.dumps(dashboard, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def file_of(dashboard: Dashboard) -> str:
    """The name of its file."""
    return f"{str(dashboard.uid).removeprefix('taxohash-')}.json"


def main() -> int:
    """Write them."""
    OUT.mkdir(parents=True, exist_ok=True)
    for dashboard in dashboards():
        write_text(OUT / file_of(dashboard), text_of(dashboard))
    return 0


if __name__ == "__main__":
    sys.exit(main())
