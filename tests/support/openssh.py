# SPDX-License-Identifier: Apache-2.0
"""What ssh-keygen needs to verify a signature of ours."""

from keys import sshsig


def allowed_signer(public: bytes, principal: str, namespace: str) -> str:
    """A line of an ``allowed_signers`` file (ssh-keygen(1), ALLOWED SIGNERS)."""
    return f'{principal} namespaces="{namespace}" {sshsig.public_line(public)}\n'
