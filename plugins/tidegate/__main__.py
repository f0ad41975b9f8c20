"""``python -m tidegate``: the terminal's face."""

import sys

from tidegate.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
