"""An invocation's log is read to its end, however late its lines arrive."""

import queue
import threading
import time

from brewhaven.local.resources.lambda_workers import END_OF_LOG, read_to_the_end


def test_lines_that_come_late_belong_to_the_invocation() -> None:
    lines: queue.Queue[str] = queue.Queue()

    def write() -> None:
        for line in ("first", "a metric", END_OF_LOG, "of the next invocation"):
            lines.put(line)
            time.sleep(0.1)

    threading.Thread(target=write, daemon=True).start()
    assert read_to_the_end(lines, lambda: True) == ["first", "a metric"]


def test_the_mark_after_half_a_line_does_not_swallow_it() -> None:
    lines: queue.Queue[str] = queue.Queue()
    lines.put("no newline" + END_OF_LOG)
    assert read_to_the_end(lines, lambda: True) == ["no newline"]


def test_an_empty_line_is_a_line() -> None:
    lines: queue.Queue[str] = queue.Queue()
    for line in ("", "text", END_OF_LOG):
        lines.put(line)
    assert read_to_the_end(lines, lambda: True) == ["", "text"]


def test_a_process_that_died_is_not_waited_for() -> None:
    lines: queue.Queue[str] = queue.Queue()
    lines.put("its last word")
    assert read_to_the_end(lines, lambda: False) == ["its last word"]
