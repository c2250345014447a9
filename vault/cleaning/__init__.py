# SPDX-License-Identifier: Apache-2.0
"""Working copies of documents without what they say of whoever made them.

``cleaner`` is the side that asks, in the process that holds the vault. ``images``, ``pdf`` and ``office`` run in
confined children only: they import Pillow, pikepdf and lxml, which nothing else in this program does. What each
removes, and what it cannot: docs/guide/en/clean-copies.md. Originals are never touched: ``vault.working_copies``.
"""
