"""A lineage as lines for people, of what JSON tells of it: so a store's and a service's read alike."""

from collections.abc import Iterator, Mapping
from typing import Any

from taxohash.runtime.configuration import flat

_SHOWN = 12  # of metrics, or of a configuration's fields
BY_HAND = "made by hand, no run"


def facts(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is known of one generation, by names; as `Lineage.as_dict` tells it."""
    yield "state", str(told["state"])
    run = told["run"]
    yield "run", f"{run['name']} ({run['pipeline']}), begun {_time(run['begun'])}" if run else BY_HAND
    if told["hasher"]:
        own = told["hasher"]
        yield "hasher", f"{own['objective']}, {own['network']}, {own['bits']} bits"
    if run and run["configuration"]:
        yield "configuration", _listed(flat(run["configuration"]))
    for name, value in (told["code"] or {}).items():
        yield name.replace("_", " "), value
    if run and run["image"]:
        yield "image", run["image"]
    if told["data"]:
        yield from _data(told["data"])
    if told["evaluation"] and told["evaluation"]["metrics"]:
        metrics = {name: f"{value:.4f}" for name, value in told["evaluation"]["metrics"].items()}
        yield "evaluation", f"{_listed(metrics)} ({told['evaluation']['protocol']})"
    if told["judgement"]:
        judged = told["judgement"]
        yield "judgement", f"{judged['verdict']}, against the {judged['against']}: {judged['reason']}"
    for name in ("report", "comparison", "place"):
        if run and run[name]:
            yield name, run[name]
    for move in told["published"]:
        yield "published" if move["operation"] == "publish" else "rolled back to", _move(move)
    if not told["published"]:
        yield "published", "never"
    yield "replaced", told["replaced"] or "nothing"
    if by := told["replaced_by"]:
        yield "replaced by", f"{by['generation']}, {_move(by)}"
    if told["removed"]:
        yield "removed", _move(told["removed"])


def _data(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "data", data["md5"]
    if data["before"]:
        changes = ", ".join(f"{count:,} {what}" for what, count in data["changes"].items() if count)
        same = "the same" if data["before"] == data["md5"] else data["before"]
        yield "data before", f"{same}; since then {changes or 'no item changed'}"
    if cost := data["cost"]:
        yield (
            "data cost",
            f"{cost['new_bytes']:,} of {cost['bytes']:,} bytes to store and to move, {cost['new_files']:,} of {cost['files']:,} files",
        )


def _listed(values: Mapping[str, Any]) -> str:
    shown = [f"{name} {value}" for name, value in values.items()]
    more = f", {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _move(move: Mapping[str, Any]) -> str:
    return f"{_time(move['when'])} by {move['who'] or 'nobody named'}" + (
        f": {move['why']}" if move["why"] else ""
    )


def _time(text: str | None) -> str:
    return f"{text[:10]} {text[11:19]} UTC" if text else "at an unknown time"
