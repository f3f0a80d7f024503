"""DCWH: class-wise hashing that knows only the finest level; the baseline that ignores the hierarchy.

Zhe, Chen and Yan, "Deep Class-Wise Hashing: Semantics-Preserving Hashing via Class-Wise Loss", TNNLS 2020.
"""

from dataclasses import replace
from typing import ClassVar

from taxohash.objectives.base import Setting
from taxohash.objectives.shpdh import SHPDH, SHPDHConfig
from taxohash.taxonomy import Taxonomy


class DCWH(SHPDH):
    """SHPDH on a tree of one level: the same terms, weights and centre updates without the coarser classes."""

    name: ClassVar[str] = "dcwh"
    title: ClassVar[str] = "Deep Class-Wise Hashing: Semantics-Preserving Hashing via Class-Wise Loss"
    year: ClassVar[int] = 2020
    hierarchical: ClassVar[bool] = False
    keeps: ClassVar[str] = "the finest classes"

    def __init__(self, setting: Setting, config: SHPDHConfig) -> None:
        super().__init__(replace(setting, taxonomy=flat(setting.taxonomy)), config)


def flat(taxonomy: Taxonomy) -> Taxonomy:
    """As many labels, named by their numbers, without their ancestors."""
    paths = tuple((str(label),) for label in range(len(taxonomy)))
    return Taxonomy(name=taxonomy.name, paths=paths, level_names=(taxonomy.levels[-1],))
