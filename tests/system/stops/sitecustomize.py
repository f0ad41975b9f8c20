"""A debugger's breakpoint for a driver that a test starts: the process stops itself, exactly there.

``TIDEGATE_STOP_AT`` in the environment, with this folder on PYTHONPATH, stops the driver's Python
with SIGSTOP, once:

- ``gate:begin``, ``gate:end``: as that step of the record begins, or when its work is done and the
  record has not noted it yet. The steps are those of a report.
- ``BranchedTable.publish:begin``, ``…:end``: as that public method is entered, or is left. It is
  for what happens inside a step: between two commits of one publish, for one.

What happens next is the test's to decide: it may kill any process of the attempt, or let the driver
go on.
"""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

_PLACE, _, _EDGE = os.environ.get("TIDEGATE_STOP_AT", "").partition(":")
_STEP = "Record.step"


def _ours(frame: FrameType) -> bool:
    return "/tidegate/driver/" in frame.f_code.co_filename


def _at_step(frame: FrameType, event: str) -> bool:
    if event != "call" or frame.f_code.co_qualname != _STEP or not _ours(frame):
        return False
    seen = frame.f_locals
    if seen.get("name") != _PLACE:
        return False
    # A generator is entered twice: at the step's begin, and after its work, when its clock runs.
    resumed = "began" in seen
    return resumed == (_EDGE == "end")


def _at_method(frame: FrameType, event: str) -> bool:
    wanted = {"begin": "call", "end": "return"}[_EDGE]
    return event == wanted and frame.f_code.co_qualname == _PLACE and _ours(frame)


_AT = _at_method if "." in _PLACE else _at_step


def _watch(frame: FrameType, event: str, _: Any) -> None:
    if _AT(frame, event):
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGSTOP)


if _EDGE and any(word.endswith("tidegate_driver.py") for word in sys.orig_argv):
    sys.setprofile(_watch)
    # A stream's micro-batches are settled in a thread of py4j's.
    threading.setprofile(_watch)
