# SPDX-License-Identifier: Apache-2.0
"""The version, where ``sandyk --version`` finds it without loading anything. Equal to the one in pyproject.toml."""

VERSION = "0.1.0"
