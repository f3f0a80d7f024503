"""Pictures are decoded by real processes, whatever is sent and whatever becomes of the processes."""

import asyncio
import random
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest

from benchmarks.common.bombs import PROGRESSIVE, jpeg, segment
from services import metrics
from services.retrieval.decoding import decoders
from services.retrieval.decoding.decoders import Decoders
from services.retrieval.settings import Limits
from services.web.refused import RefusedError
from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing, cost, decode, pixel_hash, read_pixels
from taxohash.images.thumbnails import thumbnail
from tests.support.extremes import png, rle_bitmap
from tests.support.naive_png import chunk
from tests.support.pictures import encoded, every_picture, noise

THREE = Preprocessing(32, 3, "pad", (0.0,) * 3, (1.0,) * 3)
ONE = Preprocessing(24, 1, "crop", (0.0,), (1.0,), reader=1)
PICTURES = dict(every_picture())
# Slow on any machine, and no more than it says: a second of CPU and more.
SLOW = jpeg(4000, 4000, PROGRESSIVE, scans=500)
# Half a second of CPU and more, in little memory: runs of no pixel at all.
RUNS = rle_bitmap(16, 16)[: 14 + 40 + 1024] + b"\x01\x00" * 1_500_000


_EARLIER: set[psutil.Process] = set()


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Run a test in a loop of its own."""
    _EARLIER.clear()
    _EARLIER.update(psutil.Process().children())

    async def bounded() -> None:
        async with asyncio.timeout(120):
            await work()

    asyncio.run(bounded())


@asynccontextmanager
async def started(**limits: Any) -> AsyncIterator[Decoders]:
    found = Decoders(replace(Limits(decode_seconds=60.0), **limits))
    await found.start()
    try:
        yield found
    finally:
        await found.close()
        assert not processes()


def processes() -> list[psutil.Process]:
    """The decoders there are, oldest first; zombies count, and children of earlier tests do not."""
    ours = set(psutil.Process().children()) - _EARLIER
    return sorted(ours, key=lambda process: process.create_time())


async def until(holds: Callable[[], object]) -> None:
    while not holds():
        await asyncio.sleep(0.005)


async def all_there(found: Decoders) -> list[psutil.Process]:
    """The processes, once each is in its place, and one in reserve."""
    await until(lambda: len(processes()) == 4 and found._spares._ready.qsize() == 1)
    return processes()


def replaced(reason: str) -> float:
    return float(metrics.DECODERS_REPLACED.labels(reason)._value.get())


def in_process(picture: bytes, preprocessing: Preprocessing) -> Any:
    try:
        return read_pixels(picture, preprocessing, Limits().pixels).tolist()
    except TaxohashError as error:
        return str(error)


async def outcome(found: Decoders, picture: bytes, preprocessing: Preprocessing) -> Any:
    try:
        return (await found.read(picture, preprocessing)).pixels.tolist()
    except RefusedError as error:
        refused = error
    assert (refused.status, refused.reason) == (422, "image")
    return str(refused)


def test_every_picture_is_decoded_as_in_this_process() -> None:
    async def work() -> None:
        async with started() as found:
            for name, picture in PICTURES.items():
                for preprocessing in (THREE, ONE):
                    pixels, hashed = await found.read(picture, preprocessing)
                    assert pixels.dtype == np.uint8
                    assert np.array_equal(pixels, read_pixels(picture, preprocessing)), name
                    assert hashed == pixel_hash(
                        decode(picture, version=preprocessing.reader), preprocessing.reader
                    ), name

    run(work)


def test_thumbnails_are_made_beside_the_pixels() -> None:
    large = encoded(noise(900, 600), "JPEG")
    small = encoded(noise(20, 10))
    sound = [picture for picture in [large, small, *PICTURES.values()][::4] if _is_read(picture)]

    async def work() -> None:
        async with started() as found:
            for picture in [large, small, *sound]:
                for preprocessing in (THREE, ONE):
                    (pixels, hashed), drawn = await found.read_both(picture, preprocessing)
                    assert np.array_equal(pixels, read_pixels(picture, preprocessing))
                    assert hashed == pixel_hash(
                        decode(picture, version=preprocessing.reader), preprocessing.reader
                    )
                    assert drawn == thumbnail(picture, preprocessing.reader)
            with pytest.raises(RefusedError, match="cannot be decoded"):
                await found.read_both(b"no picture", THREE)

    run(work)


def _is_read(picture: bytes) -> bool:
    with suppress(TaxohashError):
        return all(read_pixels(picture, own) is not None for own in (THREE, ONE))
    return False


def test_spoilt_pictures_have_one_outcome() -> None:
    """Cut off anywhere, or changed anywhere: a picture or one sentence, the same as without a process."""
    draw = random.Random(0)
    spoilt = []
    for picture in PICTURES.values():
        spoilt += [picture[: draw.randrange(len(picture))] for _ in range(10)]
        for _ in range(10):
            changed = bytearray(picture)
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
            spoilt.append(bytes(changed))

    async def work() -> None:
        async with started() as found:
            for picture in spoilt:
                if cost(picture).width * cost(picture).height <= Limits().pixels // 16:
                    assert await outcome(found, picture, THREE) == in_process(picture, THREE)
            assert len(processes()) <= 4

    run(work)


@pytest.mark.parametrize(
    ("picture", "reason", "said"),
    [
        (png(1, 16_000_000, 6, 8), "image", "TAXOHASH_MAX_SIDE"),
        (png(20_001, 1, 0, 1), "image", "a side of more than 20000"),
        (png(4001, 4000, 0, 1), "image", "TAXOHASH_MAX_PIXELS"),
        (jpeg(8, 8, PROGRESSIVE, scans=501), "time", "more than 500 scans"),
        (jpeg(4000, 4000, PROGRESSIVE, scans=332_440), "time", "more than 500 scans"),
        (b"", "image", "unknown format"),
        (b"GIF89a", "image", "cannot be decoded"),
    ],
)
def test_what_is_beyond_limits_is_refused(picture: bytes, reason: str, said: str) -> None:
    async def work() -> None:
        async with started() as found:
            with pytest.raises(RefusedError, match=said) as refused:
                await found.read(picture, THREE)
            assert (refused.value.status, refused.value.reason) == (422, reason)

    run(work)


def test_what_is_at_the_limits_is_read() -> None:
    async def work() -> None:
        async with started() as found:
            for picture in (png(20_000, 800, 6, 16, interlaced=True), png(4000, 4000, 0, 1), jpeg(8, 8, PROGRESSIVE, scans=500)):  # fmt: skip
                assert (await found.read(picture, THREE)).pixels.shape == THREE.shape

    run(work)


def test_a_slow_picture_is_ended_and_its_decoder_replaced() -> None:
    async def work() -> None:
        async with started(decode_seconds=0.3) as found:
            before = await all_there(found)
            with pytest.raises(RefusedError, match="TAXOHASH_DECODE_SECONDS") as refused:
                await found.read(SLOW, THREE)
            assert (refused.value.status, refused.value.reason) == (422, "time")
            await until(lambda: len(processes()) == 4 and processes() != before)

    count = replaced("time")
    run(work)
    assert replaced("time") == count + 1


def test_a_picture_that_lies_about_its_cost_is_ended_by_its_own_use_of_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoders, "_ORDINARY_SECONDS", 0.03)
    monkeypatch.setattr(decoders, "cost", lambda picture: cost(picture)._replace(seconds=0.0))

    async def work() -> None:
        async with started() as found:
            with pytest.raises(RefusedError) as refused:
                await found.read(RUNS, THREE)
            assert (refused.value.status, refused.value.reason) == (422, "time")
            assert (await found.read(PICTURES["PNG RGB"], THREE)).pixels.shape == THREE.shape

    run(work)


def test_small_pictures_pass_while_slow_ones_fill_their_lane() -> None:
    async def work() -> None:
        async with started() as found:
            bombs = [asyncio.create_task(found.read(SLOW, THREE)) for _ in range(3)]
            await asyncio.sleep(0)
            for _ in range(20):
                await found.read(PICTURES["JPEG RGB"], THREE)
            assert not any(bomb.done() for bomb in bombs)
            with pytest.raises(RefusedError, match="too many heavy") as refused:
                await asyncio.gather(*(found.read(SLOW, THREE) for _ in range(3)))
            assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
            for bomb in bombs:
                bomb.cancel()
            await asyncio.gather(*bombs, return_exceptions=True)

    run(work)


def test_large_pictures_never_hold_all_ordinary_decoders() -> None:
    large = encoded(noise(1700, 1400), "JPEG")
    assert decoders.SMALL_SECONDS < cost(large).seconds < decoders.LARGE_SECONDS

    async def work() -> None:
        async with started() as found:
            await all_there(found)
            many = [asyncio.create_task(found.read(large, THREE)) for _ in range(8)]
            await asyncio.sleep(0)
            await found.read(PICTURES["PNG L"], THREE)
            assert sum(task.done() for task in many) < 8
            for pixels in await asyncio.gather(*many):
                assert pixels.pixels.shape == THREE.shape

    run(work)


def test_who_gets_no_turn_is_told_to_come_back() -> None:
    async def work() -> None:
        async with started(decode_seconds=2.0) as found:
            for process in await all_there(found):
                process.send_signal(signal.SIGSTOP)
            tasks = [asyncio.create_task(found.read(PICTURES["PNG L"], THREE)) for _ in range(3)]
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            refusals = [(error.status, error.reason) for error in outcomes if isinstance(error, RefusedError)]
            assert refusals == [(422, "time"), (422, "time"), (429, "busy")]

    run(work)


def test_frozen_decoders_are_replaced() -> None:
    async def work() -> None:
        async with started(decode_seconds=1.0) as found:
            for process in await all_there(found):
                process.send_signal(signal.SIGSTOP)
            answered, reasons = 0, set()
            while answered < 5:
                try:
                    await found.read(PICTURES["PNG L"], THREE)
                    answered += 1
                except RefusedError as refused:
                    reasons.add(refused.reason)
            assert reasons <= {"time", "busy"}

    run(work)


def test_killed_while_idle_costs_nobody_anything() -> None:
    async def work() -> None:
        async with started() as found:
            for process in await all_there(found):
                process.kill()
            for picture in (*PICTURES.values(), png(4000, 4000, 2, 8)):
                await found.read(picture, THREE)

    run(work)


def test_killed_while_it_decodes_it_is_tried_again_once() -> None:
    async def work() -> None:
        async with started() as found:
            heavy = next(process for process in await all_there(found) if process.nice() == 19)
            before = heavy.cpu_times().user
            task = asyncio.create_task(found.read(SLOW, THREE))
            await until(lambda: heavy.cpu_times().user > before + 0.05)
            heavy.kill()
            await until(lambda: any(p.nice() == 19 and p != heavy for p in processes()))
            assert (await task).pixels.shape == THREE.shape
            task = asyncio.create_task(found.read(SLOW, THREE))
            killed: set[int] = set()
            while not task.done():
                for process in processes():
                    if process.status() != psutil.STATUS_ZOMBIE and process.nice() == 19:
                        killed.add(process.pid)
                        process.kill()
                await asyncio.sleep(0.02)
            with pytest.raises(RefusedError) as refused:
                await task
            assert (refused.value.status, refused.value.reason) == (422, "memory")
            assert len(killed) >= 2

    run(work)


def test_a_crash_is_the_pictures_fault() -> None:
    async def work() -> None:
        async with started() as found:
            heavy = next(process for process in await all_there(found) if process.nice() == 19)
            task = asyncio.create_task(found.read(SLOW, THREE))
            await asyncio.sleep(0.1)
            heavy.send_signal(signal.SIGSEGV)
            with pytest.raises(RefusedError, match="damaged") as refused:
                await task
            assert (refused.value.status, refused.value.reason) == (422, "image")

    run(work)


def test_answers_go_to_those_who_asked() -> None:
    pictures = [encoded(noise(40, 30, seed=seed), "PNG") for seed in range(20)]
    expected = [read_pixels(picture, THREE) for picture in pictures]

    async def ask(found: Decoders, number: int, draw: random.Random) -> None:
        task = asyncio.create_task(found.read(pictures[number], THREE))
        if draw.random() < 0.4:
            await asyncio.sleep(draw.random() * 0.01)
            task.cancel()
        try:
            pixels = (await task).pixels
        except asyncio.CancelledError:
            return
        assert np.array_equal(pixels, expected[number])

    async def work() -> None:
        draw = random.Random(1)
        async with started() as found:
            await all_there(found)
            for _ in range(10):
                await asyncio.gather(*(ask(found, number, draw) for number in range(20)))
            assert len(processes()) == 4

    run(work)


def test_closing_answers_everybody_and_leaves_nothing() -> None:
    async def work() -> None:
        found = Decoders(Limits(decode_seconds=60.0))
        await found.start()
        tasks = [asyncio.create_task(found.read(SLOW, THREE)) for _ in range(3)]
        await asyncio.sleep(0.1)
        await found.close()
        assert not processes()
        for answer in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(answer, RefusedError)
            assert (answer.status, answer.reason) == (503, "closing")
        with pytest.raises(RefusedError, match="going down"):
            await found.read(PICTURES["PNG L"], THREE)
        await found.close()

    run(work)


def test_closing_while_it_starts_leaves_nothing() -> None:
    async def work() -> None:
        found = Decoders(Limits())
        await found.start()
        await found.close()
        assert not processes()
        starting = asyncio.create_task(Decoders(Limits()).start())
        await until(processes)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        assert not processes()

    run(work)


def test_a_decoder_that_cannot_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def work() -> None:
        with pytest.raises(TaxohashError, match="no process for decoding pictures started"):
            await Decoders(Limits()).start()
        assert not processes()

    run(work)


def test_a_decoder_is_confined_and_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXOHASH_REDIS_URL", "redis://:secret@nowhere")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    async def work() -> None:
        async with started() as found:
            await found.read(PICTURES["PNG L"], THREE)
            there = await all_there(found)
            await until(lambda: sum(process.nice() == 19 for process in there) == 1)
            for process in there:
                assert "secret" not in str(process.environ())
            confined = [process for process in there if process.rlimit(resource.RLIMIT_CORE) == (0, 0)]
            assert len(confined) >= 2
            for process in confined:
                assert process.rlimit(resource.RLIMIT_NOFILE) == (16, 16)
                assert process.rlimit(resource.RLIMIT_FSIZE) == (0, 0)
                assert process.rlimit(resource.RLIMIT_AS)[1] < 1 << 30
                assert process.num_threads() == 1

    run(work)


def test_bombs_of_every_part_are_answered() -> None:
    """Small files that have much of something: each is a picture or one refusal, and none costs a decoder."""
    plain_png, plain_gif = PICTURES["PNG RGB"], PICTURES["GIF P"]
    after_header, screen = 33, 13 + (3 << (PICTURES["GIF P"][10] & 7) + 1)
    text = chunk(b"zTXt", b"x\0\0" + bytes(100))
    bombs = {
        "PNG of 65,000 parts": plain_png[:after_header]
        + chunk(b"teXt", b"") * 65_000
        + plain_png[after_header:],
        "PNG of texts": plain_png[:after_header] + text * 2000 + plain_png[after_header:],
        "PNG with a long tRNS": png(9, 9, 3, 2, before=chunk(b"PLTE", bytes(6)) + chunk(b"tRNS", bytes(300))),
        "GIF with a long comment": plain_gif[:screen]
        + b"!\xfe"
        + b"\1a" * 50_000
        + b"\0"
        + plain_gif[screen:],
        "JPEG of 3,000 tables": jpeg(64, 64, 0xC0, between=segment(0xC4, b"\0\1" + bytes(15) + b"\0") * 3000),
        "JPEG of 5,000 parts": jpeg(64, 64, 0xC0, between=segment(0xFE, b"") * 5000),
        "JPEG of 400 scans": jpeg(64, 64, PROGRESSIVE, scans=400),
        "BMP of runs of one": rle_bitmap(300, 200, run=1),
        "GIF of 10,000 frames": plain_gif[:-1] + plain_gif[screen:-1] * 10_000 + b";",
    }

    async def work() -> None:
        async with started() as found:
            await all_there(found)
            for picture in bombs.values():
                assert await outcome(found, picture, THREE) == in_process(picture, THREE)

    counts = [replaced(reason) for reason in ("time", "killed", "crashed")]
    run(work)
    assert counts == [replaced(reason) for reason in ("time", "killed", "crashed")]
