"""The command line as a process: `python -m ticker`, or the installed `ticker`.

Ctrl-C ends it quietly from the first import on, of which most of its start is made.
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
