"""A YARN that is a file: its client is a program that answers from that file."""

import json
from pathlib import Path
from typing import Any

APP = "application_1795604419667_0007"
CLIENT = """#!{python}
import json, sys
from pathlib import Path

state = Path({state!r})
known = json.loads(state.read_text())
words = sys.argv[2:]
with state.with_name("asked").open("a") as asked:
    print(*words, file=asked)
if "-list" in words:
    tag = words[words.index("-appTags") + 1]
    for app in known.get("tagged", {{}}).get(tag, []):
        print(f"{{app}}\\t  name\\t  SPARK\\t  root\\t  default\\t  RUNNING")
if "-status" in words:
    said = known["says"].pop(0) if len(known["says"]) > 1 else known["says"][0]
    state.write_text(json.dumps(known))
    if said is None:
        sys.exit("Connection refused")
    if said == "unknown":
        print(f"Application with id '{{words[-1]}}' doesn't exist in RM or Timeline Server.")
        sys.exit(255)
    final, diagnostics = said
    print("Application Report : ")
    print(f"\\tApplication-Id : {{words[-1]}}")
    print(f"\\tState : {{'RUNNING' if final == 'UNDEFINED' else 'FINISHED'}}")
    print(f"\\tFinal-State : {{final}}")
    print(f"\\tDiagnostics : {{diagnostics}}")
    print("\\tUnmanaged Application : false")
"""
UPLOADING = f"26/01/01 INFO Client: Uploading resource file:/x -> hdfs://n/.sparkStaging/{APP}/x"
SUBMITTED = f"26/01/01 INFO YarnClientImpl: Submitted application {APP}"
KILLED = (
    f"Application {APP} failed 1 times due to AM Container for appattempt_1 exited with  exitCode: "
    "{code}\nFailing this attempt.Diagnostics: [2026-01-01]Container {told}"
)


class FakeYarn:
    """What YARN knows, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self._state = folder / "yarn.json"
        self._asked = folder / "asked"
        self.knows()

    def knows(self, says: Any = (["SUCCEEDED", ""],), **tagged: list[str]) -> None:
        self._state.write_text(json.dumps({"says": list(says), "tagged": tagged}))

    def asked(self, word: str) -> list[str]:
        if not self._asked.exists():
            return []
        return [line for line in self._asked.read_text().splitlines() if word in line]
