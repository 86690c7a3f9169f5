"""The demonstration's own MQTT broker: amqtt on a loopback port. Run as ``python -m csms.cli.broker PORT``."""

from __future__ import annotations

import asyncio
import signal
import sys


async def serve(port: int) -> None:
    """Serve until SIGTERM."""
    from amqtt.broker import Broker

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await stop.wait()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
