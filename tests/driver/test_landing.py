"""What demo/land.py lands: the facts of the real year that the example's suites rest on."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

LAND = Path(__file__).parents[2] / "demo" / "land.py"


def land(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, LAND, "--to", folder], check=True, capture_output=True, text=True
    )
    return done.stdout


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake") / "landing"
    assert land(folder).startswith(f"{folder}: 733 of 733 files landed")
    return folder


def test_every_day_has_its_files(landing: Path) -> None:
    for name in ("flights", "weather"):
        days = sorted(file.name for file in (landing / name).iterdir())
        assert (len(days), days[0], days[-1]) == (365, "2013-01-01.csv", "2013-12-31.csv")
    assert {file.name for file in landing.glob("*.csv")} == {
        "airlines.csv",
        "airports.csv",
        "planes.csv",
    }


@pytest.mark.parametrize(("name", "expected"), [("flights", 336_776), ("weather", 26_115)])
def test_every_row_of_the_year_lands_on_its_local_day(
    landing: Path, name: str, expected: int
) -> None:
    landed = 0
    for file in (landing / name).iterdir():
        table = rows(file)
        landed += len(table)
        assert {f"{row['year']}-{row['month']:0>2}-{row['day']:0>2}" for row in table} <= {
            file.stem
        }
    assert landed == expected


def test_the_night_of_the_impossible_wind(landing: Path) -> None:
    readings = rows(landing / "weather" / "2013-02-12.csv")
    wind = {row["time_hour"]: row["wind_speed"] for row in readings if row["origin"] == "EWR"}
    assert wind["2013-02-12T08:00:00Z"] == "1048.36058"


def test_the_day_of_the_blizzard(landing: Path) -> None:
    flights = rows(landing / "flights" / "2013-02-08.csv")
    assert (len(flights), sum(row["dep_time"] == "" for row in flights)) == (930, 472)


def test_values_keep_their_text(landing: Path) -> None:
    first = rows(landing / "flights" / "2013-01-01.csv")[0]
    assert (first["dep_time"], first["arr_delay"], first["time_hour"]) == (
        "517",
        "11",
        "2013-01-01T10:00:00Z",
    )
    assert rows(landing / "planes.csv")[0]["speed"] == ""


def test_a_day_without_weather_is_a_header(landing: Path) -> None:
    text = (landing / "weather" / "2013-12-31.csv").read_text()
    assert text.startswith("origin,year,month,day,hour,temp,") and text.count("\n") == 1


def test_landing_again_restores_what_is_gone_and_touches_nothing_else(landing: Path) -> None:
    gone, kept = landing / "weather" / "2013-03-01.csv", landing / "weather" / "2013-03-02.csv"
    before = gone.read_text()
    gone.unlink()
    touched = kept.stat().st_mtime_ns
    assert "1 of 733 files landed" in land(landing)
    assert "0 of 733 files landed" in land(landing)
    assert (gone.read_text(), kept.stat().st_mtime_ns) == (before, touched)
    assert [file for file in landing.rglob(".*")] == []
