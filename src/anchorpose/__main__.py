"""`python -m anchorpose`."""

import sys

from anchorpose.app.cli import main

sys.exit(main())
