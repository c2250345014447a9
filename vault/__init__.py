# SPDX-License-Identifier: Apache-2.0
"""What is kept: cases, packs, bundles and the emergency wipe."""
