# SPDX-License-Identifier: Apache-2.0
"""Where things lie in a keyring file (docs/format.md §2). Numbers only: ``panic`` imports this.

The file is always exactly ``KEYRING_SIZE`` bytes and every byte looks random. The kill
area and the regions enter every derivation; 16 KiB is what Android's vold uses for the
same purpose ("secdiscardable"), and one aligned request for every disk.
"""

KEYRING_SIZE = 1 << 20
KILL_AREA_OFFSET = 0
KILL_AREA_SIZE = 16 << 10
SLOTS_OFFSET = KILL_AREA_SIZE
SLOT_SIZE = 4 << 10
COMPARTMENTS = 4
PAIRS_PER_COMPARTMENT = 16
SLOTS_PER_COMPARTMENT = 2 * PAIRS_PER_COMPARTMENT
SLOTS = COMPARTMENTS * SLOTS_PER_COMPARTMENT
REGIONS_OFFSET = SLOTS_OFFSET + SLOTS * SLOT_SIZE
REGION_SIZE = (KEYRING_SIZE - REGIONS_OFFSET) // COMPARTMENTS
