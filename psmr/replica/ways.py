"""Where a replica dials to reach its peers: their addresses, or relays in front of them, for faults put in on purpose."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

RELAYED: Final = "PSMR_RELAYED_PEERS"
"""The environment's word that a relay for each sender listens beside each replica's address for its peers."""


def relay_address(peers: str, sender: int) -> str:
    """Where the relay listens for what replica `sender` has for the one at `peers`."""
    return f"{peers}-from-{sender}"


def way_of(sender: int) -> Callable[[str], str]:
    """Where to dial for an address: there, unless the environment says RELAYED."""
    return lambda peers: relay_address(peers, sender) if RELAYED in os.environ else peers
