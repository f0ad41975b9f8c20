"""A debugger's breakpoint for a driver that a test starts: the process stops itself, exactly there, and nothing else.

``TIDEGATE_STOP_AT=branches.py:publish:call`` (or ``:return``) in the environment, with this folder
on PYTHONPATH, stops the driver's Python with SIGSTOP as it enters (or has left) that function for
the first time. What happens next is the test's to decide: it may kill any process of the attempt,
or let the driver go on.
"""

import os
import signal
import sys
from types import FrameType
from typing import Any

_WANTED = tuple(os.environ.get("TIDEGATE_STOP_AT", "").split(":"))


def _watch(frame: FrameType, event: str, _: Any) -> None:
    code = frame.f_code
    if (
        code.co_name == _WANTED[1]
        and event == _WANTED[2]
        and code.co_filename.endswith(f"/{_WANTED[0]}")
    ):
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGSTOP)


if len(_WANTED) == 3 and any(word.endswith("tidegate_driver.py") for word in sys.orig_argv):
    sys.setprofile(_watch)
