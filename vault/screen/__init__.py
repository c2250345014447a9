# SPDX-License-Identifier: Apache-2.0
"""`sandyk browse`: a screen over the same functions that the commands call, by keyboard and mouse.

It decides nothing that a command decides, and writes no file of its own. Textual draws it and is imported by these
modules alone, through ``loading``; why Textual, and how its worst key works: docs/decisions/0052-screen.md.
"""
