"""``make up``: Airflow with its UI, until Ctrl-C."""

import signal
import sys
from contextlib import suppress
from pathlib import Path

from demo.server import KEEP_WARM, PROJECT, AirflowServer


def main() -> int:
    """Serve until interrupted."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    print("starting Airflow …", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = Path(PROJECT, ".tidegate", "airflow")
    with AirflowServer(home, PROJECT / "dags", port=port, settings=KEEP_WARM) as server:
        server.trigger_ready("nightly_flights")
        print(f"\n  {server.url}   user admin   password {server.password}", flush=True)
        print(
            "  Trigger nightly_flights with a date of 2013 in the form. Ctrl-C stops everything.",
            flush=True,
        )
        with suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
