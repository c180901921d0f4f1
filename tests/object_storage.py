"""An S3 emulator on loopback that counts what it is asked; it can refuse, lose answers, or forget conditions."""

import threading
from collections import Counter

REFUSAL = '<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
BUCKET = "bucket"


class Emulator:
    """moto's S3 behind a layer of our own.

    Attributes:
        endpoint: Its URL.
        requests: How often each method was used.
        sent, received: Bytes of bodies, as clients see them.
        refuse: Called with method and path; gives a status and S3's code for it, or None.
        lose: Called with method and path; the request is carried out, and the answer is 500.
        ignores_conditions: Objects are replaced where they were to be made only once.
    """

    def __init__(self):
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, *_):
                pass

        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self.reset()

    def reset(self):
        self.forget()
        self.refuse = self.lose = lambda method, path: None
        self.ignores_conditions = False

    def forget(self):
        """Count from here on."""
        self.requests, self.sent, self.received = Counter(), 0, 0

    def _answer(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path.startswith("/moto-api"):
            return self._app(environ, start_response)
        self.requests["LIST" if method == "GET" and "list-type" in environ["QUERY_STRING"] else method] += 1
        self.sent += int(environ.get("CONTENT_LENGTH") or 0)
        if self.ignores_conditions:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        refusal = self.refuse(method, path)
        if refusal:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            status, code = refusal
            start_response(f"{status} {code}", [("Content-Type", "application/xml")])
            return [REFUSAL.format(code=code).encode()]
        if self.lose(method, path):
            list(self._app(environ, lambda *_, **__: None))
            start_response("500 Lost", [("Content-Type", "application/xml")])
            return [REFUSAL.format(code="InternalError").encode()]
        body = b"".join(self._app(environ, start_response))
        self.received += len(body)
        return [body]

    def client(self):
        """Amazon's own."""
        import boto3

        return boto3.client("s3", endpoint_url=self.endpoint)

    def objects(self, under=""):
        """Sizes by name."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=under)
        return {each["Key"]: each["Size"] for page in pages for each in page.get("Contents", [])}

    def close(self):
        self._server.shutdown()
        self._thread.join()


ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
