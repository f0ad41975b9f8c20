"""Which files a stream has read: main says so too, for a checkpoint that is lost.

An offset of an input of files is a number in a log of the checkpoint, worth nothing without it. So
each mark names the files of its micro-batch; of more than fit, it says up to which time of change
all are read.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tidegate.driver.stream.checkpoint import Checkpoint
from tidegate.driver.targets.mark import Mark
from tidegate.errors import PublishError

MOST = 200
"""How many files a mark names: every metadata file of the table repeats it."""
_BEFORE_ALL = 0
Files = list[tuple[str, int]]
"""Each by its address and its time of change (ms)."""


def places(offsets: Iterable[str]) -> dict[int, int]:
    """Return the log offset of each input of files, by the input's place."""
    found = {}
    for place, offset in enumerate(offsets):
        if offset.startswith('{"logOffset":'):
            found[place] = int(json.loads(offset)["logOffset"])
    return found


def files_of(mark: Mark, checkpoint: Checkpoint, before: Mark | None) -> str:
    """Return what a mark says of its files, as JSON, by the place of each input of files.

    :param mark: of a micro-batch that Spark has formed.
    :param before: the last mark on main.
    :raises PublishError: if the checkpoint has lost its log meanwhile.
    """
    told: dict[str, Any] = {}
    begins = places(mark.start)
    for place, end in places(mark.end).items():
        read: Files = []
        for log in range(begins.get(place, -1) + 1, end + 1):
            read += _logged(checkpoint, place, log)
        told[str(place)] = _told(read, _newest(before, place))
    return json.dumps(told)


def logs(marks: Iterable[Mark], listed: Mapping[int, Files]) -> dict[int, str]:
    """Return the logs of a checkpoint made anew: all that is read is in the first entry.

    :param marks: of the stream, newest first, as far as main has them; at least one.
    :param listed: the files that are there, by input.
    """
    known = [json.loads(mark.files) for mark in marks]
    made = {}
    for place in map(int, known[0]):
        told = [each[str(place)] for each in known if str(place) in each]
        read = dict(_named(told))
        horizon = _horizon(told)
        read |= {file: time for file, time in listed.get(place, ()) if time <= horizon}
        entries = [json.dumps({"path": f, "timestamp": t, "batchId": 0}) for f, t in read.items()]
        made[place] = "\n".join(("v1", *entries))
    return made


def named(files: str, place: int) -> tuple[str, ...]:
    """Return the files that a mark names of an input, by what the mark says of files."""
    told = json.loads(files).get(str(place), {"files": []})
    return tuple(file for file, _ in told["files"])


def _horizon(told: list[dict[str, Any]]) -> int:
    """Return up to which time of change all files are read, named or not."""
    beyond = [each["newest"] for each in told if not each["files"]]
    # Before the oldest mark that main still has, nothing is named.
    return int(max([told[-1]["newest"], *beyond]))


def _named(told: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    for each in told:
        yield from each["files"]


def _told(read: Files, newest: int) -> dict[str, Any]:
    if len(read) <= MOST:
        return {"files": read, "newest": newest}
    return {"files": [], "newest": max([newest, *(time for _, time in read)])}


def _newest(before: Mark | None, place: int) -> int:
    if before is None:
        return _BEFORE_ALL
    nothing = {"newest": _BEFORE_ALL, "files": []}
    told = json.loads(before.files).get(str(place), nothing)
    return int(max([told["newest"], *(time for _, time in told["files"])]))


def _logged(checkpoint: Checkpoint, place: int, log: int) -> Iterator[tuple[str, int]]:
    text = checkpoint.source(place, str(log)) or checkpoint.source(place, f"{log}.compact")
    if text is None:
        raise PublishError(
            f"checkpoint {checkpoint.uri}: sources/{place}/{log} was removed while the stream "
            "worked; the next try makes the checkpoint anew from the offsets on main"
        )
    for line in text.splitlines()[1:]:
        entry = json.loads(line)
        if entry["batchId"] == log:
            yield entry["path"], entry["timestamp"]
