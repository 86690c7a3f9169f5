"""An OCPP-J load generator: raw epoll, one outstanding CALL per connection (standard library only).

    python benchmarks/loadgen.py ws://127.0.0.1:9000/ocpp --mix session --boot --duration 5 --pid 1234
    ... --rate 2000            open loop at a fixed total rate; latency counts from the moment a CALL was due
    ... --boot --hold          only memory: from 0 to --conns booted chargers, when it has settled
    ... --wait                 print {"phase": "warm"} after the warm-up and go on when a line comes on stdin

Prints one JSON line. Every answer has to be the CALLRESULT of the CALL that was sent; anything else counts in `errors`.
Near 100 in `gen_cpu_pct` the generator is the limit, and only `cpu_us` counts.
"""

import argparse
import array
import collections
import gc
import json
import select
import ssl
import sys
import time
import urllib.parse

import mixes
import procfs
import sessions
from wsclient import Connection, connect

now = time.perf_counter
_STALL_S = 30.0  # nothing is answered for so long: give up


class Load:
    """The connections, their state machines, and what has been counted since `reset`."""

    def __init__(self, connections: list[Connection]) -> None:
        self.connections = connections
        self.by_fd = {c.fd: c for c in connections}
        self.epoll = select.epoll()
        for c in connections:
            self.epoll.register(c.fd, select.EPOLLIN)
        self.errors = self.closed = self.server_calls = 0
        self.reset()

    def reset(self) -> None:
        self.latencies = array.array("d")
        self.kinds = [0] * len(mixes.KINDS)
        self.late = 0

    def fail(self, c: Connection, text: bytes) -> None:
        self.errors += 1
        if self.errors <= 5:
            sys.stderr.write(f"unexpected answer to {mixes.KINDS[c.charger.kind]} {c.message_id!r}: {text[:300]!r}\n")

    def exchange(self, frames: list[tuple[Connection, bytes, bytes]], must_hold: bytes = b"") -> None:
        """Send one prepared CALL on each of the connections and wait for all answers."""
        for c, message_id, frame in frames:
            c.message_id = message_id
            c.due = now()
            c.send(frame)
        waiting = {c.fd for c, _, _ in frames}
        deadline = now() + _STALL_S
        while waiting and now() < deadline:
            for fd, _ in self.epoll.poll(0.2):
                for c, text in self.receive(fd):
                    waiting.discard(fd)
                    if must_hold not in text or not c.charger.answered(text):
                        self.fail(c, text)
            waiting &= self.by_fd.keys()
        self.errors += len(waiting)

    def receive(self, fd: int) -> list[tuple[Connection, bytes]]:
        """Read a connection; return the awaited answer, if it has come, and serve everything else."""
        c = self.by_fd.get(fd)
        if c is None:
            return []
        frames = c.receive()
        if frames is None:
            self.drop(c)
            return []
        out = []
        for opcode, text in frames:
            if opcode == 1 and text[:2] == b"[3" and c.message_id and c.message_id in text[:60]:
                c.message_id = b""
                out.append((c, text))
            elif opcode == 9:
                c.send(mixes.frame(text, 10))
            elif opcode == 8:
                self.drop(c)
            elif opcode == 1 and text[:2] == b"[2":
                self.server_calls += 1
                self.serve(c, json.loads(text))
            elif opcode != 10:
                self.fail(c, text)
                if c.message_id and c.message_id in text[:60]:  # a CALLERROR: go on with the next
                    c.message_id = b""
                    out.append((c, text))
        return out

    def serve(self, c: Connection, call: list) -> None:
        """Answer a CALL of the server."""
        c.send(mixes.frame(json.dumps([4, call[1], "NotImplemented", "", {}]).encode()))

    def drop(self, c: Connection) -> None:
        if self.by_fd.pop(c.fd, None) is not None:
            self.closed += 1
            self.epoll.unregister(c.fd)
            c.sock.close()

    def run(self, duration_s: float, rate: float = 0.0) -> float:
        """Load the server, then collect the outstanding answers; return the seconds from first CALL to last answer."""
        poll, receive, record = self.epoll.poll, self.receive, self.latencies.append
        kinds = self.kinds
        begin = last = now()
        end = begin + duration_s
        idle: collections.deque[Connection] = collections.deque(self.by_fd.values())
        due: collections.deque[float] = collections.deque()
        outstanding = 0
        following, step = begin, 1 / rate if rate else 0.0
        if not rate:
            due.extend([begin] * len(idle))
        while True:
            t = now()
            while rate and following <= t and following < end:
                due.append(following)
                following += step
            while due and idle and t < end:
                c = idle.popleft()
                if c.fd in self.by_fd:
                    frame = c.charger.next_frame()
                    c.message_id = c.charger.message_id
                    c.due = due.popleft() if rate else now()
                    if not rate:
                        due.popleft()
                    outstanding += 1
                    c.send(frame)
            if t >= end and (outstanding <= 0 or t > last + _STALL_S):
                break
            wait = max(following - t, 0.0) if rate and t < end else 0.05
            for fd, _ in poll(wait):
                for c, text in receive(fd):
                    last = now()
                    record(last - c.due)
                    kinds[c.charger.kind] += 1
                    outstanding -= 1
                    if not c.charger.answered(text):
                        self.fail(c, text)
                    if rate or last >= end:
                        idle.append(c)
                    else:
                        frame = c.charger.next_frame()
                        c.message_id = c.charger.message_id
                        c.due = now()
                        outstanding += 1
                        c.send(frame)
                if fd not in self.by_fd and outstanding > len(self.by_fd):
                    outstanding = len(self.by_fd)
        self.late = len(due) if rate else 0
        self.errors += max(outstanding, 0)
        return last - begin


def quantile_ms(ordered: list[float], q: float) -> float | None:
    """Return a quantile of ordered seconds in ms."""
    return round(1e3 * ordered[min(len(ordered) - 1, int(q * len(ordered)))], 3) if ordered else None


def open_all(options: argparse.Namespace) -> list[Connection]:
    """Open the connections one after the other, each with the state machine of its charger."""
    url = urllib.parse.urlsplit(options.url)
    context = None
    if url.scheme == "wss":
        context = ssl.create_default_context(cafile=options.cafile)
    connections = []
    for k, charger in enumerate(sessions.chargers(options.mix, options.conns)):
        c = connect(url, f"{options.prefix}{k:05d}", context, options.password)
        c.charger = charger
        connections.append(c)
    return connections


def measure(load: Load, options: argparse.Namespace) -> dict:
    """Warm up, load the server for the duration, and return the figures."""
    prelude = [(c, c.charger.prelude()) for c in load.connections]
    load.exchange([(c, c.charger.message_id, frame) for c, frame in prelude if frame is not None])
    if options.warmup:
        load.run(options.warmup, options.rate)
    if options.wait:
        print(json.dumps({"phase": "warm", "errors": load.errors}), flush=True)
        if not sys.stdin.readline():
            raise SystemExit("nobody said go")
    load.reset()
    gc.collect()
    gc.disable()
    cpu0, gen0 = procfs.cpu_ns(options.pid), time.process_time()
    seconds = load.run(options.duration, options.rate)
    cpu1, gen1 = procfs.cpu_ns(options.pid), time.process_time()
    calls = len(load.latencies)
    ordered = sorted(load.latencies)
    result = {
        "mix": options.mix,
        "conns": options.conns,
        "rate": options.rate,
        "calls": calls,
        "seconds": round(seconds, 3),
        "calls_s": round(calls / seconds) if calls else 0,
        "errors": load.errors,
        "closed": load.closed,
        "server_calls": load.server_calls,
        "never_sent": load.late,
        "gen_cpu_pct": round(100 * (gen1 - gen0) / max(seconds, 1e-6)),
        "p50_ms": quantile_ms(ordered, 0.5),
        "p95_ms": quantile_ms(ordered, 0.95),
        "p99_ms": quantile_ms(ordered, 0.99),
        "max_ms": quantile_ms(ordered, 1.0),
        "kinds": dict(zip(mixes.KINDS, load.kinds, strict=True)),
        "events_expected": sum(mixes.EVENTS[kind] * count for kind, count in enumerate(load.kinds)),
    }
    if options.pid and calls:
        exact, ticks = cpu1[0] - cpu0[0], cpu1[1] - cpu0[1]
        result |= {"cpu_us": round(exact / 1e3 / calls, 2), "cpu_check_us": round(ticks / 1e3 / calls, 2)}
        result["rss_mb"] = round(procfs.rss_kb(options.pid) / 1024, 1)
    return result


def hold(options: argparse.Namespace) -> dict:
    """Open (and boot) the connections and return by how much the server's resident memory has grown when it is still."""
    before = procfs.settled_rss_kb(options.pid)
    load = Load(open_all(options))
    if options.boot:
        boot(load)
    after = procfs.settled_rss_kb(options.pid)
    growth = after - before
    result = {"conns": options.conns, "booted": options.boot, "errors": load.errors, "closed": load.closed}
    kb = {"rss0_kb": before, "rss_kb": after, "growth_mb": round(growth / 1024, 2)}
    return {**result, **kb, "kb_per_conn": round(growth / options.conns, 2)}


def boot(load: Load) -> None:
    """Send one BootNotification on each connection; an answer that is not Accepted is an error."""
    load.exchange([(c, *sessions.boot_frame(k)) for k, c in enumerate(load.connections)], b'"Accepted"')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--conns", type=int, default=200)
    parser.add_argument("--mix", default="std", choices=[*mixes.MIXES, "session"])
    parser.add_argument("--duration", type=float, default=5.0)
    parser.add_argument("--warmup", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=0.0, help="CALLs per second, all connections together")
    parser.add_argument("--pid", type=int, default=0, help="the server, for its CPU and memory")
    parser.add_argument("--prefix", default="CP", help="of the identities")
    parser.add_argument("--password", help="Basic auth with the identity as the user name")
    parser.add_argument("--boot", action="store_true", help="send a BootNotification on each connection first")
    parser.add_argument("--hold", action="store_true", help="measure memory instead of answers")
    parser.add_argument("--wait", action="store_true", help="wait for a line on stdin after the warm-up")
    parser.add_argument("--cafile", help="for wss")
    options = parser.parse_args()
    if options.duration + options.warmup > 120:
        parser.error("at most 120 seconds: the chargers' clocks would overtake the real one")
    if options.hold:
        print(json.dumps(hold(options)), flush=True)
        return
    load = Load(open_all(options))
    if options.boot:
        boot(load)
    print(json.dumps(measure(load, options)), flush=True)


if __name__ == "__main__":
    main()
