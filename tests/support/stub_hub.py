"""A hub of models on this machine: it takes repositories and commits, and gives their files back."""

import base64
import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What was sent.

    Attributes:
        files: path -> content.
        made: bodies of the requests that made a repository.
        asked: method and path of every request.
    """

    def __init__(self, status=200):
        self.files, self.made, self.asked, self.status, self.address = {}, [], [], status, ""


class _Handler(BaseHTTPRequestHandler):
    hub = None

    def log_message(self, *_):
        pass

    def _answer(self, body, status=200, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.asked.append(("POST", self.path))
        if self.hub.status != 200:
            self._answer({"error": "no"}, self.hub.status)
        elif self.path == "/api/repos/create":
            self.hub.made.append(json.loads(body))
            self._answer({"url": f"{self.hub.address}/user/birds"})
        elif self.path.endswith("/preupload/main"):
            asked = json.loads(body)["files"]
            self._answer(
                {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked]}
            )
        elif "/commit/main" in self.path:
            for line in body.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.hub.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            url = f"{self.hub.address}/user/birds/commit/{COMMIT}"
            self._answer({"success": True, "commitUrl": url, "commitOid": COMMIT, "hookOutput": ""})
        else:
            self._answer({"errors": [], "warnings": []})

    def do_GET(self):
        self.hub.asked.append((self.command, self.path))
        name = self.path.partition("/resolve/main/")[2]
        if name in self.hub.files:
            content = self.hub.files[name]
            etag = f'"{hashlib.sha256(content).hexdigest()}"'
            self._answer(content, ETag=etag, X_Repo_Commit=COMMIT)
        elif self.path.startswith("/api/models/"):
            siblings = [{"rfilename": name} for name in self.hub.files]
            self._answer({"id": "user/birds", "sha": COMMIT, "siblings": siblings})
        else:
            self._answer({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)

    def do_HEAD(self):
        self.do_GET()


@contextlib.contextmanager
def stub_hub(status=200):
    """A hub that answers with `status`, its address in `hub.address`."""
    hub = Hub(status)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
