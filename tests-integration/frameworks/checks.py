"""What the Python programs of this folder share: named checks, and their count at the end."""
import os
import sys
import time
import traceback

PORT = int(os.environ["LARDER_PORT"])
URL = f"redis://127.0.0.1:{PORT}/0"
counts = {True: 0, False: 0}


def check(function):
    """Runs the function at once; its name says what must hold."""
    try:
        function()
        counts[True] += 1
    except Exception:  # whatever a framework raises
        counts[False] += 1
        print(f"FAILED {function.__name__}")
        traceback.print_exc(file=sys.stdout)
    return function


def until(condition, seconds=20):
    """Waits for a condition, which is asked again and again."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it never came true")


def finish():
    print(f"{counts[True]} passed, {counts[False]} failed")
    sys.exit(counts[False] > 0)
