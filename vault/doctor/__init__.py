# SPDX-License-Identifier: Apache-2.0
"""Checking a set-up: what is weak about where a vault lies, the machine it lies on, and how it is used.

``probes`` looks, and changes nothing; ``place``, ``machine`` and ``use`` judge, and look at nothing; ``inside`` needs
the open vault. A finding is a fact of this moment. That nothing weak was found means no more than that these checks
found nothing: docs/decisions/0059-doctor.md.
"""
