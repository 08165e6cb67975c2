"""The command line as a process: `python -m ticker`, or the installed `ticker`.

Ctrl-C ends it quietly even during the imports, which are most of its start-up time.
"""

import sys


def run() -> int:
    """Run the process's own command line and return its exit status."""
    try:
        from ticker.cli import main

        return main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run())
