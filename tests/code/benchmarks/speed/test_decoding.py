import asyncio

from benchmarks.common.bombs import PROGRESSIVE, jpeg
from benchmarks.speed.decoding import NONE, as_markdown, ordinary, under_attack
from services.retrieval.decoding.decoders import Decoders
from services.retrieval.settings import Limits


def test_ordinary_pictures_have_the_sizes_that_are_told() -> None:
    sizes = {name: len(picture) for name, picture in ordinary().items()}
    assert 50_000 < sizes["JPEG"] < 200_000
    assert 5_000 < sizes["PNG"] < 20_000


def test_pictures_are_timed_while_bombs_are_refused() -> None:
    async def work() -> None:
        decoders = Decoders(Limits())
        await decoders.start()
        try:
            row = await under_attack(decoders, [jpeg(8, 8, PROGRESSIVE, scans=501)], clients=2, pictures=2)
        finally:
            await decoders.close()
        assert set(row["answers"]) == {"422 time"}
        rows = [
            {"attack": attack, "clients": 2, **row, "made_by": {"commit": "0" * 40, "cores": 2, "load": 1.0}}
            for attack in (NONE, "a bomb")
        ]
        assert "| a bomb | 2 |" in as_markdown(rows)[-1]

    asyncio.run(work())
