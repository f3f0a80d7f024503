"""The command `taxohash`."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from typer.exceptions import TyperException

from taxohash import __version__
from taxohash.cli.configured import ConfiguredCommand
from taxohash.cli.plugins import Commands, DataCommands
from taxohash.errors import TaxohashError
from taxohash.runtime import terminal
from taxohash.runtime.requirements import remedy
from taxohash.runtime.terminal import printable

Ranking = Literal["weighted", "hamming"]

app = typer.Typer(
    name="taxohash",
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(cls=DataCommands)
app.add_typer(data_app, name="data")


@app.callback(invoke_without_command=True)
def taxohash(
    asked: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    """Image retrieval with binary codes that keep a label hierarchy."""
    if version:
        print(f"taxohash {__version__}")
        raise typer.Exit
    _help_alone(asked)


@data_app.callback(invoke_without_command=True)
def data_sets(asked: typer.Context) -> None:
    """Data sets: prepare, check, compare and join."""
    _help_alone(asked)


def _help_alone(asked: typer.Context) -> None:
    """Where no command is given, say which there are."""
    if asked.invoked_subcommand is None:
        print(asked.get_help())
        raise typer.Exit(2)


# Each command imports what it needs when it runs: `taxohash search` does not load torch.


@data_app.command("prepare")
def prepare(
    name: Annotated[str, typer.Argument(help="fashion-mnist, cifar100, or folder for an image tree")],
    out: Annotated[Path, typer.Argument(help="directory to write")],
    source: Annotated[str | None, typer.Option(help="file, folder or URL of the original files")] = None,
    splits: Annotated[
        str | None,
        typer.Option(
            help="folder: folders at the top are splits (folders), labels (hash), or auto",
            show_default="auto",
        ),
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(help="folder: share of test images where the hash splits", show_default="0.2"),
    ] = None,
    skip_unusable: Annotated[
        bool | None, typer.Option("--skip-unusable", help="folder: leave out images that cannot be used")
    ] = None,
    as_is: Annotated[
        bool | None, typer.Option("--as-is", help="folder: take a tree that looks like an accident")
    ] = None,
) -> None:
    """Write a named data set as a folder; of an image tree, say what was taken and what was left out."""
    from taxohash.cli import data

    options = {"splits": splits, "test_share": test_share, "skip_unusable": skip_unusable, "as_is": as_is}
    given = {name: value for name, value in options.items() if value is not None}
    data.prepare(name, out, source, given)


@data_app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="data set folder")],
    sheets: Annotated[Path | None, typer.Option(help="directory for contact sheets")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print what was found as JSON")] = False,
) -> None:
    """Open every row of a data set; a table of what was found."""
    from taxohash.cli import data

    if not data.check(folder, sheets, as_json):
        raise typer.Exit(1)


@data_app.command("diff")
def diff(
    before: Annotated[
        str, typer.Argument(help="data set folder, or a git revision of data.dvc, such as HEAD~1")
    ],
    after: Annotated[str, typer.Argument(help="the same, later")] = "data",
    sheets: Annotated[Path | None, typer.Option(help="directory for contact sheets of what changed")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print what changed as JSON")] = False,
) -> None:
    """What changed between two data sets: images and labels added, removed, moved, replaced."""
    from taxohash.cli.diff import print_diff

    print_diff(before, after, sheets, as_json)


@data_app.command("join")
def join(
    part: Annotated[Path, typer.Argument(help="folder with more images, such as `capture` writes")],
    data: Annotated[Path, typer.Argument(help="data set folder that takes them")],
    as_json: Annotated[bool, typer.Option("--json", help="print what was joined as JSON")] = False,
) -> None:
    """Put the splits of one folder into a data set, as further shards of its own; its files stay as they are."""
    from taxohash.cli import data as commands

    commands.join(part, data, as_json)


@app.command(cls=ConfiguredCommand)
def train(
    asked: typer.Context,
    data: Annotated[Path, typer.Option(help="data set folder")],
    out: Annotated[Path, typer.Option(help="directory of the run; repeated, an interrupted run goes on")],
) -> None:
    """Train a hasher; started by torchrun, several processes train it together."""
    from taxohash.runtime.flags import chosen
    from taxohash.training.config import HasherConfig

    config = chosen(HasherConfig, asked.obj)  # what is refused is refused before torch is loaded
    from taxohash.training import distributed
    from taxohash.training import run as training_run

    with distributed.group():
        run = training_run.train(data, out, config)
        if distributed.rank() == 0:
            print(
                f"{run.folder}: {config.objective.name}, {config.bits} bits, {run.config.training.epochs} epochs"
            )


@app.command(cls=ConfiguredCommand)
def sweep(
    asked: typer.Context,
    data: Annotated[Path, typer.Option(help="data set folder")],
    out: Annotated[Path, typer.Option(help="directory of the sweep; repeated, an interrupted sweep goes on")],
    search: Annotated[
        list[str] | None,
        typer.Option(
            help="what is tried: PATH=LOW..HIGH, PATH=LOW..HIGH:log or PATH=ONE,OTHER; several times",
            show_default="learning rate and weight decay",
        ),
    ] = None,
    trials: Annotated[int, typer.Option(help="how many there are to be, with those that are done")] = 20,
    metric: Annotated[
        str, typer.Option(help="of held-out pictures: mAP, mAHP, nDCG, or headline, the mean of all")
    ] = "headline",
    sweep_seed: Annotated[int, typer.Option(help="of what is tried")] = 0,
) -> None:
    """Choose hyper-parameters on held-out pictures of the training split; best.json and sweep.html in the directory."""
    from taxohash.runtime.flags import chosen
    from taxohash.training.config import HasherConfig

    config = chosen(HasherConfig, asked.obj)
    from taxohash.sweep.run import BEST, PAGE
    from taxohash.sweep.run import sweep as tried

    best = tried(data, out, config, search or (), trials, metric, sweep_seed)
    print(f"{printable(out / BEST)}: trial {best.number + 1}, {metric} {best.score:.4f}")
    print(printable(out / PAGE))


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="directory of a finished run")],
    data: Annotated[Path | None, typer.Option(help="data set folder, if it moved")] = None,
    protocol: Annotated[
        str | None, typer.Option(help="evaluation protocol; hierarchical, or multilabel for sets of labels")
    ] = None,
    queries: Annotated[str, typer.Option(help="split whose images are the queries")] = "test",
    taxonomy: Annotated[
        Path | None, typer.Option(help="taxonomy.json that grades the answers in place of the data set's")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Rank the training set for every query; report.json and report.html in the run."""
    from taxohash.evaluation.report.read import PAGE
    from taxohash.evaluation.run import evaluate_run

    report = evaluate_run(run, data, protocol, queries, taxonomy)
    if as_json:
        print(json.dumps(report.as_dict()))
        return
    rows = [
        (name, f"{value:.4f}", f"{report.weighted[name]:.4f}" if name in report.weighted else "")
        for name, value in report.metrics.items()
    ]
    title = f"{report.protocol}, ties {report.ties}"
    terminal.console().print(terminal.table(("metric", "by distance", "by weights"), rows, title, right=2))
    print(printable(run / PAGE))


@app.command()
def encode(
    source: Annotated[Path, typer.Argument(help="directory of a run or of a generation")],
    images: Annotated[list[Path] | None, typer.Argument(help="pictures")] = None,
    data: Annotated[Path | None, typer.Option(help="data set folder, instead of pictures")] = None,
    splits: Annotated[
        str, typer.Option(help="splits of --data, such as train,test; all but canary if left out")
    ] = "",
    shard: Annotated[str, typer.Option(help="part of the rows of --data, such as 3/16")] = "1/1",
    out: Annotated[Path | None, typer.Option(help="file for the codes of --data, .npy")] = None,
) -> None:
    """Print the code of each picture, in hex; or write those of a data set's splits to a file, whole or in shards."""
    from taxohash.cli.encode import encode_data, encode_files

    whole = not splits and shard == "1/1"
    if data is not None and out is not None and not images:
        from taxohash.datasets.splits import listed
        from taxohash.release.shards import Shard

        rows = encode_data(source, data, listed(splits), out, Shard.parse(shard))
        print(f"{printable(out)}: {rows:,} codes")
    elif data is None and out is None and whole and images:
        for file, code in zip(images, encode_files(source, images), strict=True):
            print(f"{code.tobytes().hex()}  {printable(file)}")
    else:
        raise TaxohashError(
            "encode takes pictures, or --data with --out, of which --splits and --shard choose: give one of the two"
        )


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="directory of an evaluated run")],
    out: Annotated[Path, typer.Option(help="where generations lie")] = Path("generations"),
    data: Annotated[Path | None, typer.Option(help="data set folder, if it moved")] = None,
    splits: Annotated[
        str, typer.Option(help="splits that can be found, such as train,test; all but canary if left out")
    ] = "",
    sign_key: Annotated[
        Path | None,
        typer.Option(help="file of a private key (PEM, EC) that signs it", show_default="TAXOHASH_SIGN_KEY"),
    ] = None,
) -> None:
    """Make a generation of a run: ONNX, codes and manifest; prints its directory."""
    from taxohash.datasets.splits import listed
    from taxohash.release.export import export as make
    from taxohash.release.signing import signing_key

    key = signing_key(sign_key)  # one that cannot be used is told before the work
    print(make(run, out, data, listed(splits), key))


@app.command()
def sign(
    generation: Annotated[Path, typer.Argument(help="directory of a generation")],
    key: Annotated[
        Path | None,
        typer.Option(help="file of a private key (PEM, EC)", show_default="TAXOHASH_SIGN_KEY"),
    ] = None,
) -> None:
    """Sign a generation: model.sig beside its files, in the format of OpenSSF Model Signing."""
    from taxohash.cli import signing

    signing.sign(generation, key)


@app.command()
def verify(
    generation: Annotated[Path, typer.Argument(help="directory of a generation")],
    key: Annotated[
        Path | None,
        typer.Option(
            help="file of public keys (PEM, EC), or a folder of such files",
            show_default="TAXOHASH_VERIFY_KEY",
        ),
    ] = None,
) -> None:
    """Check every byte of a generation, and that one of the keys has signed it."""
    from taxohash.cli import signing

    signing.verify(generation, key)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="directory of a generation")],
    after: Annotated[Path, typer.Argument(help="that of the one that would take its place")],
    data: Annotated[
        Path | None, typer.Option(help="data set folder: its splits ask, its images are shown")
    ] = None,
    queries: Annotated[
        str,
        typer.Option(
            help="splits of --data that ask, such as test,canary; beside them the canaries of AFTER ask",
            show_default="test",
        ),
    ] = "",
    pictures: Annotated[
        Path | None, typer.Option(help="folder of pictures that ask, such as real queries")
    ] = None,
    out: Annotated[Path, typer.Option(help="directory for comparison.html and comparison.json")] = Path(
        "comparison"
    ),
    ranking: Annotated[
        Ranking, typer.Option(help="of the answers: as the service ranks, or by plain Hamming distance")
    ] = "weighted",
    as_json: Annotated[bool, typer.Option("--json", help="print the comparison as JSON")] = False,
) -> None:
    """What a generation would change in place of another: both are asked the same pictures."""
    from taxohash.cli.compare import compare as compare_generations
    from taxohash.datasets.splits import listed

    compare_generations(before, after, data, listed(queries), pictures, out, ranking, as_json)


@app.command()
def methods() -> None:
    """List the objectives: paper, year, what they train, what they learn from, what their codes keep."""
    from taxohash.objectives import objectives
    from taxohash.training.supervise import trains

    rows = [
        (name, kind.title, str(kind.year), kind.makes(), kind.learns_from(), kind.keeps)
        for name, kind in objectives().items()
    ]
    terminal.console().print(terminal.table(("name", "paper", "year", "makes", "learns from", "keeps"), rows))
    others = ", ".join(name for name, kind in objectives().items() if not trains(kind))
    print(
        f"`taxohash train` and the pipeline take those that make a network with binary codes; not {others}."
    )


Url = Annotated[str, typer.Option(help="address of the service")]
Number = Annotated[
    int | None,
    typer.Option(help="number of answers; with --radius as many as there may be", show_default="10"),
]
Radius = Annotated[int | None, typer.Option(help="all items within this Hamming distance")]
Within = Annotated[
    list[str] | None, typer.Option(help="only below this taxonomy node, such as apparel/tops; several times")
]
TagsOf = Annotated[list[str] | None, typer.Option("--tag", help="only items with this tag; several times")]
GroupBy = Annotated[str | None, typer.Option(help="group the answers by this level of the taxonomy")]
AsJson = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]
_HERE = "http://127.0.0.1:3000"


@app.command()
def search(
    pictures: Annotated[list[Path] | None, typer.Argument(help="image files, and folders of them")] = None,
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="what is like this item; several times")
    ] = None,
    codes: Annotated[
        list[str] | None, typer.Option("--code", help="what is like this code, in hexadecimal; several times")
    ] = None,
    url: Url = _HERE,
    generation: Annotated[
        Path | None, typer.Option(help="directory of a generation: search in its codes, without a service")
    ] = None,
    k: Number = None,
    radius: Radius = None,
    within: Within = None,
    tags: TagsOf = None,
    group_by: GroupBy = None,
    ranking: Annotated[
        Ranking | None,
        typer.Option(
            help="by weights of what the hasher is sure of, or by plain Hamming distance",
            show_default="weighted for pictures",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="with --json: say how the answer came about")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the answer as JSON; of several, one a line")
    ] = False,
) -> None:
    """Search by picture, item or code; the key, if one is needed, comes from TAXOHASH_API_KEY or TAXOHASH_API_KEY_FILE."""
    from taxohash.cli.search import Wishes, search_generation, search_service, tell

    wishes = Wishes(
        k=k, radius=radius, within=within, tags=tags, group_by=group_by, ranking=ranking, explain=explain
    )
    if generation is not None:
        found = search_generation(generation, pictures or [], bool(ids or codes), wishes)
    else:
        found = search_service(url, pictures or [], ids or [], codes or [], wishes)
    if not tell(found, as_json):
        raise typer.Exit(2)


@app.command()
def similar(
    item: Annotated[str, typer.Argument(help="id of an item")],
    url: Url = _HERE,
    k: Number = None,
    radius: Radius = None,
    within: Within = None,
    tags: TagsOf = None,
    group_by: GroupBy = None,
    as_json: AsJson = False,
) -> None:
    """What is like an item, by its stored code; nothing is uploaded."""
    from taxohash.cli.search import Wishes, similar_to, tell

    wishes = Wishes(k=k, radius=radius, within=within, tags=tags, group_by=group_by)
    tell(similar_to(url, item, wishes), as_json)


@app.command()
def put(
    pictures: Annotated[list[Path], typer.Argument(help="image files, and folders of them")],
    url: Url = _HERE,
    item_id: Annotated[
        str | None, typer.Option("--id", help="of one picture", show_default="its name")
    ] = None,
    prefix: Annotated[str, typer.Option(help="of all ids, such as shoes/")] = "",
    labels: Annotated[
        list[str] | None, typer.Option("--label", help="path of a taxonomy node; several times")
    ] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", help="to filter by; several times")] = None,
    folders_are_labels: Annotated[
        bool, typer.Option("--folders-are-labels", help="a picture's folder is its label, too")
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(help="file for what was taken: interrupted, the same command goes on where it stopped"),
    ] = None,
    at_once: Annotated[int, typer.Option(help="requests under way", min=1, max=64)] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="print what became of them as JSON")] = False,
) -> None:
    """Put pictures into a running service: they are found from then on. In a folder, an id is the path below it."""
    from taxohash.cli import items

    uploads = items.uploads_of(pictures, item_id, prefix, labels or [], tags or [], folders_are_labels)
    if not items.put(url, uploads, journal, at_once, as_json):
        raise typer.Exit(2)


@app.command()
def delete(
    ids: Annotated[list[str], typer.Argument(help="of items")],
    url: Url = _HERE,
    as_json: Annotated[
        bool, typer.Option("--json", help="print what became of each as JSON, one a line")
    ] = False,
) -> None:
    """Delete items of a running service, their codes in every generation, and their pictures."""
    from taxohash.cli import items

    if not items.delete(url, ids, as_json):
        raise typer.Exit(2)


def main() -> None:
    """Run the command; what the user can put right is one line on standard error and exit code 2."""
    terminal.replace_unprintable()
    try:
        code = app(standalone_mode=False)
    except TaxohashError as error:
        _refuse(str(error))
    except ModuleNotFoundError as error:
        if (text := remedy(error)) is None:
            raise
        _refuse(text)
    except TyperException as error:  # of the command line: an unknown command or option, a value that is none
        where = getattr(error, "ctx", None)  # unknown where an error is found outside of any command
        _refuse(
            f"{error.format_message().rstrip('.')}: see {where.command_path if where else 'taxohash'} --help"
        )
    except BrokenPipeError:  # `taxohash ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _refuse(
            f"{error.filename or 'a file'} cannot be used ({error.strerror or error}): look at its permissions"
        )
    else:
        if code == 130:  # typer's for Ctrl-C
            print("taxohash: interrupted", file=sys.stderr)
        sys.exit(code)


def _refuse(reason: str) -> NoReturn:
    print(f"taxohash: {printable(reason)}", file=sys.stderr)
    sys.exit(2)
