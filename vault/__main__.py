# SPDX-License-Identifier: Apache-2.0
"""``python -m vault`` is ``sandyk``."""

import sys

from vault.entry import main

if __name__ == "__main__":
    sys.exit(main())
