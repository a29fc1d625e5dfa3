"""Long polls: they answer when something changes, and they are cheap while nothing does."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from shop.domain.errors import Unavailable
from shop.live import LiveReads
from tests.plugins.loops import in_a_loop_of_its_own
from tests.unit.shop.browser import Browser


async def _never() -> bool:
    return False


def test_a_waiting_guest_hears_of_the_next_step_at_once(guest: Browser, barista: Browser) -> None:
    order = guest.paid_order()
    body = {"status": "making", "version": order["version"]}
    timer = threading.Timer(0.3, lambda: barista.post(f"/api/orders/{order['id']}/status", body))
    timer.start()
    begun = time.monotonic()
    seen = guest.get(f"/api/orders/{order['id']}?wait=20&version={order['version']}")
    timer.join()
    assert seen["status"] == "making"
    assert 0.2 < time.monotonic() - begun < 5


def test_another_version_is_answered_at_once(guest: Browser) -> None:
    order = guest.paid_order()
    begun = time.monotonic()
    guest.get(f"/api/orders/{order['id']}?wait=20&version={order['version'] - 1}")
    assert time.monotonic() - begun < 5


def test_without_news_the_answer_comes_when_the_time_is_up(guest: Browser) -> None:
    order = guest.order()
    begun = time.monotonic()
    assert guest.get(f"/api/orders/{order['id']}?wait=1&version={order['version']}") == order
    assert 0.9 < time.monotonic() - begun < 5


def test_the_board_waits_for_new_orders_but_not_for_unpaid_ones(guest: Browser, barista: Browser) -> None:
    empty = barista.get("/api/board")
    guest.order()
    assert barista.get("/api/board")["version"] == empty["version"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(barista.get, f"/api/board?wait=20&version={empty['version']}")
        time.sleep(0.3)
        paid = guest.paid_order()
        assert [order["id"] for order in waiting.result(10)["orders"]] == [paid["id"]]


@pytest.mark.parametrize("wait", ["25", "-1", "x"])
def test_nobody_waits_longer_than_a_gateway_holds(barista: Browser, wait: str) -> None:
    barista.get(f"/api/board?wait={wait}", expect=422)


def test_all_who_watch_one_thing_share_its_reads() -> None:
    reads = 0

    def read() -> tuple[str, str]:
        nonlocal reads
        reads += 1
        return "same", "1"

    async def watch() -> None:
        live = LiveReads(every=0.05)
        waits = [live.wait(("board",), ("same", "1"), read, "1", 0.4, _never) for _ in range(40)]
        await asyncio.gather(*waits)
        before = reads
        await asyncio.sleep(0.2)
        assert reads == before, "nobody watches, so nobody reads"

    in_a_loop_of_its_own(watch())
    assert 1 <= reads <= 9


def test_when_too_many_wait_the_next_only_pauses() -> None:
    def read() -> tuple[str, str]:
        return "new", "2"

    async def watch() -> None:
        live = LiveReads(every=0.02, most=1)
        waiting = asyncio.create_task(live.wait(("a",), ("old", "1"), read, "1", 5, _never))
        await asyncio.sleep(0)
        begun = time.monotonic()
        assert await live.wait(("b",), ("old", "1"), read, "1", 5, _never) == ("old", "1")
        assert 0.05 < time.monotonic() - begun < 2
        assert await waiting == ("new", "2")

    in_a_loop_of_its_own(watch())


def test_stopping_lets_everybody_go() -> None:
    async def watch() -> None:
        live = LiveReads()
        waiting = asyncio.create_task(live.wait(("a",), ("v", "1"), lambda: ("v", "1"), "1", 20, _never))
        await asyncio.sleep(0.05)
        live.stop()
        assert await asyncio.wait_for(waiting, 2) == ("v", "1")
        assert await live.wait(("a",), ("v", "1"), lambda: ("v", "1"), "1", 20, _never) == ("v", "1")

    in_a_loop_of_its_own(watch())


def test_a_reader_that_went_away_is_not_waited_for() -> None:
    async def gone() -> bool:
        return True

    async def watch() -> None:
        live = LiveReads(every=0.02)
        answer = live.wait(("a",), ("v", "1"), lambda: ("v", "1"), "1", 20, gone)
        assert await asyncio.wait_for(answer, 2) == ("v", "1")

    in_a_loop_of_its_own(watch())


@pytest.mark.parametrize(("error", "lines"), [(OSError("the table is away"), 1), (Unavailable("noted already"), 0)])
def test_a_failing_read_is_tried_again(error: Exception, lines: int, caplog: pytest.LogCaptureFixture) -> None:
    turns = 0

    def read() -> tuple[str, str]:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise error
        return "new", "2"

    async def watch() -> None:
        live = LiveReads(every=0.02)
        assert await live.wait(("a",), ("v", "1"), read, "1", 5, _never) == ("new", "2")

    in_a_loop_of_its_own(watch())
    assert len(caplog.records) == lines
