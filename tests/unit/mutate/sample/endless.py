"""A test that takes longer than anybody waits, and has started something that would wait with it."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

SLEEPER = "import time; time.sleep(600)"


def test_the_key_is_found_some_day(template: Callable[..., dict[str, Any]]) -> None:
    subprocess.run([sys.executable, "-c", SLEEPER], check=True)
    assert template
