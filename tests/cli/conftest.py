# SPDX-License-Identifier: Apache-2.0
"""The desks that the tests of the command line sit at."""

from tests.support.commands import bundle, one

__all__ = ["bundle", "one"]
