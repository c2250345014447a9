# SPDX-License-Identifier: Apache-2.0
"""Crowds: how many people a file is sealed to is nobody's business (docs/format.md §5).

Recipients are joined by recipients that nobody has the keys of, until there are 2, 4, 8, 16 or 32, and shuffled. An
age stanza does not say whose it is, so only the rounded number can be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from gettext import gettext as _
from secrets import SystemRandom

from keys.age import HybridIdentity, HybridRecipient, Recipient, X25519Identity, X25519Recipient
from keys.errors import Full

CROWDS = (2, 4, 8, 16, 32)


def round_up(recipients: Sequence[Recipient]) -> list[Recipient]:
    """These recipients and enough dummies of their kind, in random order.

    Raises Full above 32. ValueError for nobody, and unless all are hybrid or all are X25519: age lets no
    others share a file, and a dummy of another kind would be no company.
    """
    if len(recipients) > CROWDS[-1]:
        raise Full(_("at most {crowds} people can read one file").format(crowds=CROWDS[-1]))
    kind = _kind(recipients)
    size = next(crowd for crowd in CROWDS if crowd >= len(recipients))
    crowd = [*recipients, *(_nobody(kind) for __ in range(size - len(recipients)))]
    SystemRandom().shuffle(crowd)
    return crowd


def _kind(recipients: Sequence[Recipient]) -> type[HybridIdentity] | type[X25519Identity]:
    if recipients and all(isinstance(recipient, HybridRecipient) for recipient in recipients):
        return HybridIdentity
    if recipients and all(isinstance(recipient, X25519Recipient) for recipient in recipients):
        return X25519Identity
    raise ValueError("a crowd is made of recipients of one kind, hybrid or X25519")


def _nobody(kind: type[HybridIdentity] | type[X25519Identity]) -> Recipient:
    """A recipient whose identity is zeroed and forgotten at once."""
    identity = kind.generate()
    recipient = identity.recipient
    identity.seed.close()
    return recipient
