"""Which data version a run is of, where it lies, and whether it is sound."""

from pathlib import Path

from pipelines.shared import versions
from pipelines.shared.step import step
from taxohash.datasets import Dataset
from taxohash.datasets.check import check as check_folder
from taxohash.datasets.splits import indexed_splits, listed
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import announce

# Where pulled versions lie, below the folder of the work.
VERSIONS = "versions"


@step("resolve")
def resolve(dataset_md5: str, repository: str, revision: str) -> str:
    """The md5 of the data: the one that is named, else that of data.dvc at a revision of a repository."""
    if bool(dataset_md5) == bool(repository):
        raise TaxohashError(
            f"the data are {'named twice, by md5 and by a repository' if dataset_md5 else 'not named'}: "
            "give dataset_md5, or repository with revision"
        )
    return dataset_md5 or versions.resolve(repository, revision)


@step("pull")
def pull(dataset_md5: str, data: str, remote: str, work: str) -> str:
    """The folder of a data version: the one that is given, if it is that version, else pulled from a DVC remote."""
    if not data:
        if not remote:
            raise TaxohashError(
                "the data are in no folder and no remote is named: give data, or remote, such as s3://bucket/prefix"
            )
        return str(versions.pull(dataset_md5, remote, Path(work) / VERSIONS))
    if (found := Dataset.open(data).md5()) != dataset_md5:
        raise TaxohashError(
            f"data set {data} has md5 {found}, not {dataset_md5}: give the folder of that version"
        )
    return data


@step("check-data")
def check(data: str, splits: str = "") -> None:
    """Refuse data that are not sound, or without the splits to index."""
    dataset = Dataset.open(data)
    indexed = indexed_splits(dataset, listed(splits))
    result = check_folder(data)
    if not result.ok:
        first = next(finding.text for finding in result.findings if finding.severity == "error")
        raise TaxohashError(f"data set {data} is not sound: {first}")
    announce(
        f"{sum(result.images.values()):,} images sound, {len(result.findings)} warnings; to be indexed: {', '.join(indexed)}"
    )
