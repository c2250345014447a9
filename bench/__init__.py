# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: `python -m bench`. Not installed with the program; docs/performance.md says how to read them."""
