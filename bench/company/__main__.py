"""Entry point of ``python -m bench.company``."""

import sys

from bench.company.cli import main

sys.exit(main())
