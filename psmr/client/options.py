"""From what a user says at `connect` to what a connection wants to know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cdep import Service
from proxies.layout import layout_of
from psmr.client.settings import ClientSettings, ServiceIdentity, endpoint
from psmr.core.event_format import rows_max
from psmr.errors import ConfigurationError


def settings_of(
    timeout_s: float, connect_timeout_s: float, window: int, prefer_leader: bool, reads_in_log: bool
) -> ClientSettings:
    """The settings; raises ConfigurationError for what makes none."""
    for name, value in (("timeout_s", timeout_s), ("connect_timeout_s", connect_timeout_s)):
        if not isinstance(value, int | float) or not 0 < value < 1e6:
            raise ConfigurationError(f"{name}: expected seconds above 0 and below a million, found {value!r}")
    if not isinstance(window, int):
        raise ConfigurationError(f"window: expected how many batches, an int, found {window!r}")
    settings = ClientSettings(
        window_batches=window,
        timeout_us=round(timeout_s * 1e6),
        connect_timeout_us=round(connect_timeout_s * 1e6),
        prefer_leader=prefer_leader,
        reads_in_log=reads_in_log,
    )
    settings.limits()  # refuses a window that no session has
    return settings


def addresses_of(addresses: str | Sequence[str], more: Sequence[str] = ()) -> list[str]:
    """One address, several between commas, as arguments of their own or as a list: as a list. Raises ConfigurationError."""
    found: list[str] = []
    for given in (addresses, *more):
        for several in _strings(given):
            found += [part.strip() for part in several.split(",")]
    if not found:
        raise ConfigurationError("expected at least one address as host:port, found none")
    for address in found:
        endpoint(address)  # refuses what is none
    return found


def _strings(given: object) -> list[str]:
    several = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    found = [one for one in several if isinstance(one, str)]
    if len(found) < len(several):
        raise ConfigurationError(f'expected addresses of replicas, "host:port" each, found {given!r}')
    return found


def identity_of(service: Service) -> ServiceIdentity:
    """What a connection says of the service that it calls."""
    return ServiceIdentity(service.name, service.fingerprint, layout_of(service).stride, rows_max(service))
