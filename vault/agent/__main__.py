# SPDX-License-Identifier: Apache-2.0
"""``python -m vault.agent``: started by `sandyk unlock`, of no use by hand."""

import sys

from vault.agent.server import main

if __name__ == "__main__":
    sys.exit(main())
