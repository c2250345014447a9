# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: none of them depends on the speed of the machine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "at any speed", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("at any speed")
