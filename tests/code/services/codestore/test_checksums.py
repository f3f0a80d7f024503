"""A serving process finds the same sums in its arrays as the store in its fields."""

import numpy as np
import pytest

from services.codestore import CodeStore
from services.codestore.checksums import (
    NO_BLOCK,
    as_followed,
    block_of,
    digest,
    generation_sum,
    kind_of,
    names_sum,
    sums_of,
)
from tests.support.stored import fill_collection


@pytest.mark.parametrize(
    ("field", "kind", "block"),
    [
        (b"n12", "names", 12),
        (b"c0", "catalog", 0),
        (b"r\x4a\0\0\0", "catalog", 1),
        (b"t::::", "catalog", 0x3A3A3A3A // 74),
        (b"d0f", "deleted", NO_BLOCK),
        (b"gv1.a-b:7", "v1.a-b", 7),
        (b"g:7", "", 7),
        (b"sv1:\0\0:\0", "v1", 0x3A0000 // 74),
        (b"o:\x4b\0\0\0", "", 1),
    ],
)
def test_a_field_says_its_kind_and_block(field: bytes, kind: str, block: int) -> None:
    assert (kind_of(field), block_of(field)) == (kind, block)


def test_a_digest_is_the_start_of_sha1_over_name_and_value() -> None:
    assert digest(b"abc", b"def") == int("487b1975d972", 16)  # printf 'abc\0def' | sha1sum


@pytest.mark.parametrize("generation", ["g1", "g2"])
def test_columns_give_the_sums_of_their_segment(generation: str) -> None:
    with CodeStore.connect("memory://") as store:
        fill_collection(store, count=700)
        opened, _ = store.described("c")
        differ = 0
        for segment in range(3):
            columns = store.page("c", generation, segment, 0, incarnation=opened.incarnation)
            own = generation_sum(generation, columns.member, columns.coded, columns.labels, columns.codes)
            fields = {
                field: value for page in store.pages(opened, segment) for field, value in page.fields.items()
            }
            seen = {
                field: as_followed(field, value)
                for field, value in fields.items()
                if kind_of(field) == generation
            }
            assert own == sums_of({field: value for field, value in seen.items() if value})[generation]
            sums = store.tallies("c")[segment].sums
            differ += own != sums[generation]
            ids = [item_id + b"\xff" for item_id in columns.ids.split(b"\xff")[:-1]]
            blocks = [b"".join(ids[first : first + 74]) for first in range(0, len(ids), 74)]
            assert names_sum(blocks) == sums["names"]
            last = max(i for i, item_id in enumerate(ids) if item_id != b"\xff") + 1
            assert (
                names_sum([b"".join(ids[:last][first : first + 74]) for first in range(0, last, 74)])
                == sums["names"]
            )
            cut = slice(0, int(np.flatnonzero(columns.member)[-1]) + 1)
            rows = np.arange(len(columns.member))[cut]
            assert own == generation_sum(
                generation,
                columns.member[cut],
                columns.coded[cut],
                columns.labels.taken(rows),
                columns.codes[cut],
            )
        assert differ == {"g1": 0, "g2": 3}[generation]  # in g2 items have records of their own
