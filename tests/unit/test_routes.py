"""Who is told where, and in which order."""

from __future__ import annotations

from psmr.replica.routes import Routes


def test_connections_come_once_and_in_an_order_that_no_hash_seed_decides() -> None:
    routes = Routes()
    names = [b"%d.%d" % (client, dial) for client in (7, 3, 5, 1) for dial in range(4)]
    for waiting, connection in enumerate([*names, names[0]]):
        routes.learn(waiting, connection)
    assert routes.connections() == tuple(sorted(names))
