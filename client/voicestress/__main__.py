"""``python -m voicestress``."""

import sys

from voicestress.cli import main

sys.exit(main())
