"""An ECS that speaks the real protocol, for one service whose tasks come and go at once."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Answers the five calls that the injectors make."""

    protocol_version = "HTTP/1.1"
    server: "FakeEcs"

    def do_POST(self) -> None:
        """Find the call by its header, and answer it."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = self.headers["X-Amz-Target"].rpartition(".")[2]
        status, answer = self.server.answer(name, body)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


class FakeEcs(ThreadingHTTPServer):
    """The service `web` in the cluster `shop`.

    Attributes:
        desired: Tasks wanted.
        tasks: By ARN, why it was stopped; "" runs.
        denied: Calls that are not allowed.
        replaces: Whether stopped tasks are replaced.
    """

    daemon_threads = True

    def __init__(self, desired: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.desired = desired
        self.tasks: dict[str, str] = {}
        self.denied: set[str] = set()
        self.replaces = True
        self.lock = threading.Lock()
        self._calls: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "DescribeServices": self._describe_services,
            "UpdateService": self._update_service,
            "ListTasks": self._list_tasks,
            "StopTask": self._stop_task,
            "DescribeTasks": self._describe_tasks,
        }
        self._settle()

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def running(self) -> list[str]:
        """Return the ARNs of running tasks."""
        return [arn for arn, reason in self.tasks.items() if not reason]

    def answer(self, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and body for one call."""
        if name in self.denied:
            return 400, {"__type": "AccessDeniedException", "message": "not allowed"}
        with self.lock:
            found: dict[str, Any] = self._calls[name](body)
            self._settle()
        return 200, found

    def _describe_services(self, body: dict[str, Any]) -> dict[str, Any]:
        counts = {"desiredCount": self.desired, "runningCount": len(self.running)}
        service = {"serviceName": "web", "status": "ACTIVE", "pendingCount": 0, **counts}
        return {"services": [service] if body["services"] == ["web"] else [], "failures": []}

    def _update_service(self, body: dict[str, Any]) -> dict[str, Any]:
        self.desired = body["desiredCount"]
        return {}

    def _list_tasks(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"taskArns": self.running}

    def _stop_task(self, body: dict[str, Any]) -> dict[str, Any]:
        self.tasks[body["task"]] = body["reason"]
        return {}

    def _describe_tasks(self, body: dict[str, Any]) -> dict[str, Any]:
        [arn] = body["tasks"]
        reason = self.tasks[arn]
        status = "STOPPED" if reason else "RUNNING"
        states = {"desiredStatus": status, "lastStatus": status, "stoppedReason": reason}
        return {"tasks": [{"taskArn": arn, **states}], "failures": []}

    def _settle(self) -> None:
        for arn in self.running[self.desired :]:
            self.tasks[arn] = "Scaling activity"
        while self.replaces and len(self.running) < self.desired:
            self.tasks[f"arn:aws:ecs:eu-west-1:1:task/shop/{len(self.tasks)}"] = ""


@contextmanager
def ecs(desired: int = 3) -> Iterator[FakeEcs]:
    """Serve until the block ends."""
    with FakeEcs(desired) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()
