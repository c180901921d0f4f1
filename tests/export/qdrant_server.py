"""What of Qdrant's REST an export asks for, on loopback, over the client's own local mode: a stand-in for a server."""

import http.server
import json
import threading
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request; its attributes are set by ``qdrant_server``."""

    backend = None
    key = None
    failing = ""
    requests = ()
    sizes = ()

    def _answer(self, method):
        size = int(self.headers.get("content-length") or 0)
        self.sizes.append(size)
        body = json.loads(self.rfile.read(size) or "null")
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        self.requests.append((method, urlsplit(self.path).path, urlsplit(self.path).query))
        if self.key is not None and self.headers.get("api-key") != self.key:
            self._send(401, {"status": {"error": "Invalid API key"}})
        elif self.failing and self.failing in self.path:
            self._send(500, {"status": {"error": "No space left on device"}})
        else:
            try:
                result = self._result(method, parts, body)
            except ValueError as error:
                self._send(400, {"status": {"error": str(error)}})
            else:
                self._send(200, {"result": result, "status": "ok", "time": 0.0})

    def _result(self, method, parts, body):
        from qdrant_client import models

        local = self.backend
        name = parts[1] if len(parts) > 1 else ""
        if (method, parts) == ("GET", ["collections"]):
            return local.get_collections()
        if (method, parts) == ("GET", ["aliases"]):
            return local.get_aliases()
        if (method, parts) == ("POST", ["collections", "aliases"]):
            return local.update_collection_aliases(models.ChangeAliasesOperation(**body).actions)
        if method == "PUT" and len(parts) == 2:
            given = models.CreateCollection(**body)
            return local.create_collection(name, vectors_config=given.vectors)
        if method == "DELETE" and len(parts) == 2:
            return local.delete_collection(name)
        if method == "PUT" and parts[2:] == ["points"]:
            local.upsert(name, models.PointsList(**body).points)
            return {"operation_id": 0, "status": "completed"}
        if method == "POST" and parts[2:] == ["points", "count"]:
            return local.count(name, exact=True)
        if method == "POST" and parts[2:] == ["points", "query"]:
            return local.query_points(name, query=body["query"]["nearest"], limit=body["limit"], with_payload=True)
        raise ValueError(f"not known here: {method} {self.path}")

    def _send(self, status, answer):
        content = json.dumps(answer, default=lambda model: model.model_dump(mode="json")).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        self._answer("GET")

    def do_POST(self):
        self._answer("POST")

    def do_PUT(self):
        self._answer("PUT")

    def do_DELETE(self):
        self._answer("DELETE")

    def log_message(self, *_):
        pass


@contextmanager
def qdrant_server(key=None):
    """The address of a server, and its handler: set ``failing`` to a part of the paths that it shall fail on."""
    from qdrant_client import QdrantClient

    backend = QdrantClient(":memory:")
    handler = type("Handler", (_Handler,), {"backend": backend, "key": key, "requests": [], "sizes": []})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", handler
        finally:
            server.shutdown()
            thread.join()
            backend.close()
