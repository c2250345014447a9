# SPDX-License-Identifier: Apache-2.0
"""The resident agent: one small process that holds the opened slot of one vault for a while.

``python -m vault.agent`` is the process, ``vault.agent.client`` is how commands speak with it. What it promises and
what it does not: docs/decisions/0021-agent.md.
"""
