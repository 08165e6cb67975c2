"""`python -m ticker`: the command line without an installed script."""

import sys

from ticker.cli import main

sys.exit(main())
