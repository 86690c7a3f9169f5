"""A small stand-in for the daemon's HTTP API: it remembers each request exactly, and answers what it was told to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PREFIX = "/api/v1"


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body

    @property
    def line(self):
        return f"{self.method} {self.target}"

    @property
    def json(self):
        return json.loads(self.body)


class FakeApi:
    """Answers are used up one by one for each "METHOD /path?query", the last one for ever; without one it is a 404."""

    def __init__(self):
        self.requests = []
        self._answers = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.api = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def lines(self):
        return [request.line for request in self.requests]

    @property
    def last(self):
        return self.requests[-1]

    def answer(self, line, body=None, status=200, **headers):
        """Answer a request, named without the prefix, with JSON or bytes."""
        method, target = line.split(" ", 1)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._add(f"{method} {PREFIX}{target}", (status, {"Content-Type": "application/json", **headers}, content))

    def problem(self, line, status, detail, **members):
        body = {"type": "about:blank", "title": "Title", "status": status, "detail": detail, **members}
        self.answer(line, body, status, **{"Content-Type": "application/problem+json"})

    def stream(self, line, *pieces):
        """Answer a request with a stream of events; then hang up. A piece may be a function that is called instead."""
        method, target = line.split(" ", 1)
        self._add(f"{method} {PREFIX}{target}", (200, {"Content-Type": "text/event-stream"}, pieces))

    def _add(self, line, answer):
        self._answers.setdefault(line, []).append(answer)

    def next_answer(self, line):
        answers = self._answers.get(line)
        if not answers:
            detail = json.dumps({"detail": f"no answer for {line}"}).encode()
            return 404, {"Content-Type": "application/problem+json"}, detail
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, self.headers, body)
        self.server.api.requests.append(request)
        status, headers, content = self.server.api.next_answer(request.line)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if isinstance(content, tuple):
            self.close_connection = True
            self.end_headers()
            for piece in content:
                if callable(piece):
                    piece()
                else:
                    self.wfile.write(piece)
            return
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = _serve

    def log_message(self, *_):
        pass
