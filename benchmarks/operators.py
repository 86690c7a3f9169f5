"""Operators who command chargers through HTTP, and the chargers, which answer at once (standard library only).

    python benchmarks/operators.py ws://127.0.0.1:9000/ocpp --http-port 8081 --boot --rate 200 --runs 5

Open loop: commands arrive by themselves (a Poisson process of that rate), whether the ones before were answered or not, each for the
next charger in turn. Latency counts from the moment a command was due until its whole HTTP answer is there. Prints READY and
goes on when a line comes on stdin, with one JSON line for each run. An answer that is not the one of its charger to its command counts
in `errors`.
"""

import argparse
import array
import collections
import gc
import json
import random
import select
import socket
import sys
import time

import loadgen
import mixes
import procfs
from loadgen import now, quantile_ms
from wsclient import Connection

_STALL_S = 5.0  # nothing is answered for so long after the last command: give up
_ACCEPTED = '{"status":"Accepted"}'
# action, the payload for a number, the charger's answer with a number; from the answers to the last two the ledger learns.
COMMANDS = (
    ("GetLocalListVersion", "{}", '{"listVersion":%d}'),
    ("TriggerMessage", '{"requestedMessage":"Heartbeat"}', _ACCEPTED),
    ("UnlockConnector", '{"connectorId":1}', '{"status":"Unlocked"}'),
    ("RemoteStartTransaction", '{"connectorId":1,"idTag":"04A1B2C3D4E5F6"}', _ACCEPTED),
    ("ChangeConfiguration", '{"key":"HeartbeatInterval","value":"%d"}', _ACCEPTED),
)
_RECORDED = frozenset({3, 4})


def _filled(text: str, number: int) -> str:
    return text.replace("%d", str(number))


def answer(call: list, number: int) -> str:
    """Return what charger `number` says to a CALL."""
    said = {action: text for action, _, text in COMMANDS}.get(call[2])
    if said is None:
        return json.dumps([4, call[1], "NotImplemented", "", {}])
    return f'[3,"{call[1]}",{_filled(said, number)}]'


class Command:
    """What one operator wants of one charger, and since when."""

    __slots__ = ("due", "is_recorded", "request", "response")

    def __init__(self, due: float, number: int, identity: str, charger: int) -> None:
        self.due = due
        kind = number % len(COMMANDS)
        action, payload, response = COMMANDS[kind]
        body = _filled(payload, number)
        self.is_recorded = kind in _RECORDED
        self.response = f'"response":{_filled(response, charger)}}}'.encode()
        self.request = (
            f"POST /api/v1/chargepoints/{identity}/commands/{action} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


class HttpConnection:
    """A keep-alive connection with one request outstanding at most."""

    __slots__ = ("_data", "command", "fd", "sock")

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(5)
        self.fd = self.sock.fileno()
        self.command: Command | None = None
        self._data = b""

    def send(self, command: Command) -> None:
        self.command = command
        self.sock.sendall(command.request)

    def receive(self) -> tuple[int, bytes] | None:
        """Return status and body of the answer, None as long as it is not whole.

        :raises SystemExit: the daemon has hung up.
        """
        data = self.sock.recv(65536)
        if not data:
            raise SystemExit("the daemon has closed an HTTP connection")
        self._data += data
        head, separator, body = self._data.partition(b"\r\n\r\n")
        if not separator:
            return None
        lines = (line.lower().partition(b":") for line in head.split(b"\r\n")[1:])
        length = next((int(value) for name, _, value in lines if name == b"content-length"), None)
        if length is None:
            raise SystemExit(f"an answer without a length: {head[:300]!r}")
        if len(body) < length:
            return None
        self._data = b""
        return int(head.split(b" ", 2)[1]), body


class Operators(loadgen.Load):
    """Chargers that answer, and the operators' connections, in one loop."""

    def __init__(self, chargers: list[Connection], http: list[HttpConnection], prefix: str) -> None:
        super().__init__(chargers)
        self._numbers = {c.fd: k for k, c in enumerate(chargers)}
        self._http = {h.fd: h for h in http}
        self._prefix = prefix
        self._sent = 0
        for h in http:
            self.epoll.register(h.fd, select.EPOLLIN)

    def serve(self, c: Connection, call: list) -> None:
        c.send(mixes.frame(answer(call, self._numbers[c.fd]).encode()))

    def command(self, rate: float, duration_s: float, seed: int) -> dict:
        """Have commands arrive for so long, wait for the last answer, and return the figures."""
        chance = random.Random(seed)
        idle = collections.deque(self._http.values())
        waiting: collections.deque[Command] = collections.deque()
        latencies, recorded = array.array("d"), array.array("d")
        errors, outstanding, unsent_most = 0, 0, 0
        begin = last = now()
        end, following = begin + duration_s, begin + chance.expovariate(rate)
        while True:
            t = now()
            while following <= t and following < end:
                waiting.append(self._next(following))
                following += chance.expovariate(rate)
            unsent_most = max(unsent_most, len(waiting) - len(idle))
            while waiting and idle:
                idle[0].send(waiting.popleft())
                idle.popleft()
                outstanding += 1
            if following >= end and not waiting and (not outstanding or t > max(last, end) + _STALL_S):
                break
            for fd, _ in self.epoll.poll(max(min(following - t, 0.05), 0.0)):
                h = self._http.get(fd)
                if h is None:
                    self.receive(fd)
                    continue
                received = h.receive()
                if received is None:
                    continue
                last = now()
                command, h.command = h.command, None
                assert command is not None
                idle.append(h)
                outstanding -= 1
                latencies.append(last - command.due)
                if command.is_recorded:
                    recorded.append(last - command.due)
                status, body = received
                if status != 200 or not body.endswith(command.response):
                    errors += 1
                    if errors <= 5:
                        sys.stderr.write(f"unexpected answer: {status} {body[:300]!r}, wanted {command.response!r}\n")
        ordered = sorted(latencies)
        return {
            "commands": len(ordered),
            "seconds": round(last - begin, 3),
            "commands_s": round(len(ordered) / (last - begin), 1) if ordered else 0,
            "errors": errors + outstanding,
            "waited_for_a_connection": max(unsent_most, 0),
            "p50_ms": quantile_ms(ordered, 0.5),
            "p99_ms": quantile_ms(ordered, 0.99),
            "max_ms": quantile_ms(ordered, 1.0),
            "recorded_p50_ms": quantile_ms(sorted(recorded), 0.5),
            "recorded_p99_ms": quantile_ms(sorted(recorded), 0.99),
        }

    def _next(self, due: float) -> Command:
        number, charger = self._sent, self._sent % len(self.connections)
        self._sent += 1
        return Command(due, number, f"{self._prefix}{charger:05d}", charger)


def measure(load: Operators, options: argparse.Namespace, seed: int, duration_s: float) -> dict:
    """Run once, with the CPU that it cost."""
    gc.collect()
    gc.disable()
    cpu, generator, closed = procfs.cpu_ns(options.pid)[0], time.process_time(), load.closed
    figures = load.command(options.rate, duration_s, seed)
    spent = procfs.cpu_ns(options.pid)[0] - cpu
    gc.enable()
    return figures | {
        "closed": load.closed - closed,
        "cpu_us": round(spent / 1e3 / max(figures["commands"], 1), 1),
        "gen_cpu_pct": round(100 * (time.process_time() - generator) / figures["seconds"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--http-conns", type=int, default=64, help="keep-alive connections of the operators (64)")
    parser.add_argument("--conns", type=int, default=200, help="chargers (200)")
    parser.add_argument("--rate", type=float, default=200.0, help="commands per second (200)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--duration", type=float, default=3.0, help="seconds of each run (3)")
    parser.add_argument("--warmup", type=float, default=1.0)
    parser.add_argument("--pid", type=int, default=0, help="the daemon, for its CPU")
    parser.add_argument("--boot", action="store_true", help="send a BootNotification on each connection first")
    options = parser.parse_args()
    options.mix, options.prefix, options.password, options.cafile = "std", "OP", None, None
    http = [HttpConnection(options.http_port) for _ in range(options.http_conns)]
    load = Operators(loadgen.open_all(options), http, options.prefix)
    if options.boot:
        loadgen.boot(load)
    if load.errors or load.closed:
        raise SystemExit(f"{load.errors} chargers were not accepted, {load.closed} were closed")
    measure(load, options, 0, options.warmup)
    print("READY", flush=True)
    if not sys.stdin.readline():
        raise SystemExit("nobody said go")
    for seed in range(1, options.runs + 1):
        print(json.dumps(measure(load, options, seed, options.duration)), flush=True)


if __name__ == "__main__":
    main()
