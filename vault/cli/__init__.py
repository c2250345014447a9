# SPDX-License-Identifier: Apache-2.0
"""The command line: it parses, calls one function of ``vault``, and renders. Nothing is decided here.

What a command needs beyond its options is imported inside it: `sandyk --help` loads no cryptography.
"""
