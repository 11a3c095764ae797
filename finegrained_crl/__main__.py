"""`python -m finegrained_crl` is the `fgcrl` command."""

import sys

from finegrained_crl.cli.main import main

sys.exit(main())
