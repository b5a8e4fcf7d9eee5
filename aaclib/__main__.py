"""`python -m aaclib` is the same as `aaclib`."""

import sys

from aaclib.suite.cli import main

if __name__ == "__main__":
    sys.exit(main())
