"""Searching by a running service or in a generation's own codes, and an answer as a table in the terminal."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from taxohash import client
from taxohash.cli.service import client_of, tell_refused
from taxohash.errors import TaxohashError
from taxohash.runtime import terminal
from taxohash.runtime.terminal import printable
from taxohash.taxonomy.agreement import majority_path


class Wishes(NamedTuple):
    """What is wanted of an answer; see client.Wishes."""

    k: int | None = None
    radius: int | None = None
    within: list[str] | None = None
    tags: list[str] | None = None
    group_by: str | None = None
    ranking: str | None = None
    explain: bool = False

    def of_client(self) -> client.Wishes:
        """As the client takes them."""
        return client.Wishes(
            k=self.k,
            radius=self.radius,
            within=self.within,
            tags=self.tags,
            group_by=self.group_by,
            ranking=self.ranking,
            explain=self.explain,
        )


# What was searched for, and the answer as the service gives it, or a sentence why there is none.
Found = Iterable[tuple[str, dict[str, Any] | str]]


def search_service(
    url: str, pictures: Sequence[Path], ids: Sequence[str], codes: Sequence[str], wishes: Wishes
) -> Found:
    """The answers of a running service, in the order of what was asked.

    Raises:
        TaxohashError: nothing to search for, a file that cannot be read, no service, or all of it is refused.
    """
    files = list(_files(pictures))
    names = [*map(str, files), *ids, *codes]
    queries: list[client.Query] = [*files, *map(client.ItemId, ids), *map(client.Code, codes)]
    if not queries:
        raise TaxohashError("nothing to search for: give a picture, a folder, --id or --code")
    with client_of(url) as service:
        if len(queries) == 1:
            answer = service.search(
                next(iter(files), None),
                id=next(iter(ids), None),
                code=next(iter(codes), None),
                **wishes.of_client(),
            )
            return [(names[0], dict(answer.raw))]
        answers = service.search_many(queries, **wishes.of_client())
    return [
        (name, told.sentence if isinstance(told, client.Refusal) else dict(told.raw))
        for name, told in zip(names, answers, strict=True)
    ]


def similar_to(url: str, item_id: str, wishes: Wishes) -> Found:
    """What a running service finds similar to an item."""
    with client_of(url) as service:
        return [(item_id, dict(service.similar(item_id, **wishes.of_client()).raw))]


def search_generation(folder: Path, pictures: Sequence[Path], others: bool, wishes: Wishes) -> Found:
    """The answers of searches in the codes of a generation, without a service.

    Args:
        others: whether something else than a picture is asked for.

    Raises:
        TaxohashError: what only a service can; or as `_in_codes`.
    """
    if (
        others
        or wishes.radius is not None
        or wishes.tags
        or wishes.group_by
        or wishes.explain
        or len(wishes.within or ()) > 1
    ):
        raise TaxohashError(
            "--generation searches by picture, with --k, --ranking and one --within: leave the rest out, or give --url"
        )
    if not (files := list(_files(pictures))):
        raise TaxohashError("nothing to search for: give a picture or a folder")
    within = wishes.within[0] if wishes.within else None
    k = 10 if wishes.k is None else wishes.k
    return [(str(file), _in_codes(folder, file, k, within, wishes.ranking or "weighted")) for file in files]


def _files(pictures: Sequence[Path]) -> Iterator[Path]:
    """Files, and those of folders."""
    for path in pictures:
        if path.is_dir():
            yield from (path / upload.id for upload in client.of_folder(path))
        else:
            yield path


def tell(found: Found, as_json: bool) -> bool:
    """Print answers; whether there is one to each question. Of several each says what was asked for."""
    listed = list(found)
    refused: list[tuple[str, str]] = []
    for name, answer in listed:
        if isinstance(answer, str):
            refused.append((name, answer))
            told: dict[str, Any] = {"asked": name, "refused": answer}
        else:
            told = answer if len(listed) == 1 else {"asked": name} | answer
        if as_json:
            print(json.dumps(told))
        elif not isinstance(answer, str):
            if len(listed) > 1:
                print(f"{printable(name)}:")
            print_table(answer)
    return not tell_refused(refused)


def _in_codes(
    folder: Path, picture: Path, k: int, within: str | None, ranking: str = "weighted"
) -> dict[str, Any]:
    """The answer of a search in the codes of a generation, as the service gives it, without one.

    Raises:
        TaxohashError: a damaged generation, a file that is no picture, no such node, or k out of range.
    """
    from taxohash.generation.hasher import Hasher
    from taxohash.hamming import HammingIndex

    hasher = Hasher(folder)
    taxonomy, labels = hasher.taxonomy, hasher.labels
    query, index = hasher.encode_queries([picture]), HammingIndex.build(hasher.codes, hasher.bits)
    allowed = None if within is None else hasher.below(within)
    if ranking == "weighted":
        weighted, rows = index.search(query.codes, k, allowed, weights=query.weights)
        distances = index.distances(query.codes, rows[0])[None]
        shares = query.shares(weighted)[0].tolist()
    else:
        distances, rows = index.search(query.codes, k, allowed)
        shares = []
    results = [
        {
            "id": hasher.ids[row],
            "label_paths": [list(taxonomy.paths[label]) for label in labels[row]],
            "distance": distance,
        }
        for row, distance in zip(rows[0].tolist(), distances[0].tolist(), strict=True)
    ]
    for result, share in zip(results, shares, strict=False):
        result["weighted_distance"] = share
    majority = majority_path([result["label_paths"] for result in results])
    return {
        "generation": hasher.generation.id,
        "bits": hasher.bits,
        "code": query.codes.tobytes().hex(),
        "ranking": ranking,
        "majority": [{"name": name, "items": items} for name, items in majority],
        "results": results,
    }


def print_table(answer: dict[str, Any], console: Console | None = None) -> None:
    """Print an answer as a table; levels at which an item agrees with most answers are bold."""
    bits, results = answer["bits"], answer["results"]
    is_weighted = answer.get("ranking") == "weighted"
    most = [node["name"] for node in answer["majority"]]
    title = f"{len(results)} answers, generation {answer['generation']}, code {answer['code']}"
    rows = [
        (
            str(rank),
            result["id"],
            Text("\n").join(_marked(path, most) for path in result["label_paths"]),
            *([f"{result['weighted_distance']:.3f}"] if is_weighted else []),
            f"{result['distance']}{' (identical)' if result.get('identical') else ''}",
        )
        for rank, result in enumerate(results, 1)
    ]
    out = console or terminal.console()
    columns = ("", "item", "label", *(["by weights"] if is_weighted else []), f"distance of {bits}")
    out.print(terminal.table(columns, rows, title, right=1 + is_weighted))
    majority = " / ".join(f"{printable(node['name'])} ({node['items']})" for node in answer["majority"])
    otherwise = "no answer has a label" if results else "nothing found"
    out.print(Text(f"most agree on {majority}" if majority else otherwise))
    if own := _own(answer):
        out.print(Text(own))
    for group in answer.get("groups") or ():
        path = " / ".join(map(printable, group["path"])) or "without a label"
        out.print(Text(f"{path}: {', '.join(map(printable, group['items']))}"))
    if answer.get("cut"):
        out.print(Text("there are more within the radius: give a larger --k"))


def _own(answer: dict[str, Any]) -> str:
    """What the query itself is, as far as that was measured."""
    if answer.get("unlike"):
        return "nothing like this is here: the picture is unlike all that this hasher was made of"
    if (predicted := answer.get("predicted")) is None:
        return ""
    path = " / ".join(f"{printable(node['name'])} ({node['confidence']:.0%})" for node in predicted)
    return f"most likely {path}" if path else "not sure at any level what it is"


def _marked(path: list[str], most: list[str]) -> Text:
    names = Text()
    for level, name in enumerate(path):
        agrees = path[: level + 1] == most[: level + 1]
        names.append(" / " if level else "").append(printable(name), "bold" if agrees else "dim")
    return names
