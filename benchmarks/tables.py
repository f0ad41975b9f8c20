"""Printing a benchmark's rows and keeping them as JSON."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def show(name: str, rows: Sequence[dict[str, Any]], notes: Sequence[str] = ()) -> None:
    """Print ``rows`` as a table, ``notes`` under it; write both to ``results/<name>.json``."""
    columns = list(rows[0])
    texts = [[_text(row[column]) for column in columns] for row in rows]
    widths = [
        max(len(column), *(len(text[i]) for text in texts)) for i, column in enumerate(columns)
    ]
    print(f"\n{name}   (load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores)")
    for line in [columns, *texts]:
        print(
            "  "
            + "  ".join(
                f"{cell:>{width}}" if i else f"{cell:<{width}}"
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
        )
    for note in notes:
        print(f"  {note}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(
        json.dumps({"rows": list(rows), "notes": list(notes)}, indent=1), encoding="utf-8"
    )


def _text(value: Any) -> str:
    return (
        f"{value:,.2f}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )
