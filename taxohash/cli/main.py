"""The command `taxohash`."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from taxohash.cli.configured import ConfiguredCommand
from taxohash.cli.plugins import Commands
from taxohash.errors import TaxohashError
from taxohash.runtime.requirements import remedy

app = typer.Typer(
    name="taxohash",
    cls=Commands,
    help="Image retrieval with binary codes that keep a label hierarchy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Data sets: prepare and check.", no_args_is_help=True)
app.add_typer(data_app, name="data")

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
                f"{run.folder}: {config.objective.name}, {config.bits} bits, {config.training.epochs} epochs"
            )


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
    from taxohash.evaluation.run import evaluate_run

    report = evaluate_run(run, data, protocol, queries, taxonomy)
    if as_json:
        print(json.dumps(report.as_dict()))
        return
    table = Table("metric", "value", title=f"{report.protocol}, ties {report.ties}", title_justify="left")
    for name, value in report.metrics.items():
        table.add_row(name, f"{value:.4f}")
    Console().print(table)
    print(f"{run / 'report.html'}")


@app.command()
def encode(
    source: Annotated[Path, typer.Argument(help="directory of a run or of a generation")],
    images: Annotated[list[Path], typer.Argument(help="pictures")],
) -> None:
    """Print the code of each picture, in hex."""
    from taxohash.cli.encode import encode_files

    for file, code in zip(images, encode_files(source, images), strict=True):
        print(f"{code.tobytes().hex()}  {file}")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="directory of an evaluated run")],
    out: Annotated[Path, typer.Option(help="where generations lie")] = Path("generations"),
    data: Annotated[Path | None, typer.Option(help="data set folder, if it moved")] = None,
    splits: Annotated[
        str, typer.Option(help="splits that can be found, such as train,test; all but canary if left out")
    ] = "",
) -> None:
    """Make a generation of a run: ONNX, codes and manifest; prints its directory."""
    from taxohash.datasets.splits import listed
    from taxohash.release.export import export as make

    print(make(run, out, data, listed(splits)))


@app.command()
def methods() -> None:
    """List the objectives: paper, year, supervision, what their codes keep."""
    from taxohash.objectives import objectives

    table = Table("name", "paper", "year", "learns from", "keeps")
    for name, kind in objectives().items():
        table.add_row(name, kind.title, str(kind.year), kind.learns_from(), kind.keeps)
    Console().print(table)


@app.command()
def search(
    picture: Annotated[Path, typer.Argument(help="image file")],
    url: Annotated[str, typer.Option(help="address of the service")] = "http://127.0.0.1:3000",
    k: Annotated[int, typer.Option(help="number of answers")] = 10,
    within: Annotated[
        str | None, typer.Option(help="only below this taxonomy node, such as apparel/tops")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as JSON")] = False,
) -> None:
    """Search by picture; the token, if one is needed, comes from TAXOHASH_API_TOKEN."""
    from taxohash import client
    from taxohash.cli.search import print_table

    answer = client.search(url, picture, k, within, os.environ.get("TAXOHASH_API_TOKEN"))
    if as_json:
        print(json.dumps(answer))
    else:
        print_table(answer)


def main() -> None:
    """Run the command; what the user can put right is one line on standard error and exit code 2."""
    try:
        app()
    except TaxohashError as error:
        print(f"taxohash: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (text := remedy(error)) is None:
            raise
        print(f"taxohash: {text}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("taxohash: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `taxohash ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
