# SPDX-License-Identifier: Apache-2.0
"""Who may open: identities, cards, the keyring and age files. Imports nothing of ``vault``."""
