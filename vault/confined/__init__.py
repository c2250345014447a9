# SPDX-License-Identifier: Apache-2.0
"""Code that reads hostile bytes, each document in a process of its own that holds no key and can reach nothing.

``worker`` is the side that asks, ``child`` the side that answers, ``sandbox`` and ``bpf`` what holds the child. Which
code a child runs is said by the one who asks (a ``protocol.Job``), never by a document. Why so, and what holds where:
docs/decisions/0034-confined-cleaning.md.
"""
