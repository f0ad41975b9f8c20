"""Iceberg tables as a reader without Spark sees them: their metadata files."""

import json
from pathlib import Path
from typing import Any


class Table:
    """One table of a Hadoop catalog."""

    def __init__(self, warehouse: Path, name: str) -> None:
        self.name = name
        self._folder = warehouse.joinpath(*name.split(".")[1:], "metadata")

    def document(self) -> dict[str, Any]:
        """Return the current metadata; without any key if the table does not exist."""
        versions = {
            int(file.name[1:].partition(".")[0]): file
            for file in self._folder.glob("v*.metadata.json")
        }
        if not versions:
            return {}
        document: dict[str, Any] = json.loads(versions[max(versions)].read_text(encoding="utf-8"))
        return document

    def refs(self) -> set[str]:
        """Return the names of the table's branches and tags."""
        return set(self.document().get("refs", {}))

    def main(self) -> int | None:
        """Return the snapshot that readers see."""
        return _main(self.document())

    def history(self) -> list[dict[str, str]]:
        """Return the summaries of the snapshots main is made of, newest first."""
        # Of one document: in a newer one, main is at a snapshot that this one does not know.
        document = self.document()
        known = {each["snapshot-id"]: each for each in document.get("snapshots", [])}
        summaries, at = [], _main(document)
        while at in known:
            summaries.append(known[at]["summary"])
            at = known[at].get("parent-snapshot-id")
        return summaries

    def verdicts(self, run_id: str) -> list[dict[str, str]]:
        """Return the summaries on main that carry a verdict of this run."""
        return [
            s
            for s in self.history()
            if s.get("tidegate.run_id") == run_id and "tidegate.verdict" in s
        ]

    def rows(self) -> int:
        """Return how many rows readers see, as the head of main counts them."""
        return int(self.history()[0]["total-records"]) if self.main() else 0


def _main(document: dict[str, Any]) -> int | None:
    at = document.get("refs", {}).get("main")
    return at and int(at["snapshot-id"])
