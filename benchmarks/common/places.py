"""Where benchmarks find their data and keep their results; relative folders are those of the checkout."""

from pathlib import Path

from taxohash.errors import TaxohashError

RESULTS = Path(__file__).resolve().parents[1] / "results"
FEATURES = Path(".cache/features")
CIFAR100 = Path(".cache/data/cifar100")
FASHION_MNIST = Path("data")
_PREPARED_AS = {CIFAR100: "cifar100", FASHION_MNIST: "fashion-mnist"}


def data_set(folder: Path) -> Path:
    """The folder, if it is one.

    Raises:
        TaxohashError: it is not; names the command that makes it.
    """
    if not folder.is_dir():
        name = _PREPARED_AS.get(folder, "NAME")
        raise TaxohashError(
            f"data set {folder} is not a folder: make it with `taxohash data prepare {name} {folder}`"
        )
    return folder
