"""A time stamping authority (RFC 3161) behind a real socket: OpenSSL makes the stamps, with keys made here."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFIG = """
[tsa]
default_tsa = ours
[ours]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
USE = "extendedKeyUsage = critical,timeStamping\n"
Answer = Callable[[bytes], bytes | None]


def openssl(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=False)


class Authority:
    """Keys and certificates in a folder; `root` is what whoever believes it is given."""

    def __init__(self, folder: Path, use: str = USE) -> None:
        folder.mkdir()
        self.folder, self.root = folder, folder / "root.pem"
        (folder / "ts.cnf").write_text(CONFIG)
        (folder / "serial").write_text("01\n")
        (folder / "use.cnf").write_text(use)
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        for words in (
            ("req", "-x509", *key, "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=root", "-days", "2"),
            ("req", "-new", *key, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=stamps"),
            ("x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "2",
             "-extfile", "use.cnf", "-out", "tsa.pem"),
        ):  # fmt: skip
            made = openssl(folder, *words)
            assert made.returncode == 0, made.stderr.decode()

    def stamp(self, request: bytes) -> bytes:
        (self.folder / "request.tsq").write_bytes(request)
        words = ("ts", "-reply", "-config", "ts.cnf", "-queryfile", "request.tsq", "-out", "answer.tsr")
        made = openssl(self.folder, *words)
        assert made.returncode == 0, made.stderr.decode()
        return (self.folder / "answer.tsr").read_bytes()

    def query(self, data: bytes) -> bytes:
        """A request of somebody else, without a nonce."""
        (self.folder / "data").write_bytes(data)
        openssl(self.folder, "ts", "-query", "-data", "data", "-sha256", "-cert", "-no_nonce", "-out", "other.tsq")
        return (self.folder / "other.tsq").read_bytes()


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """An address at which requests are answered; None is 503."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(503 if said is None else 200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(said or b"")))
            self.end_headers()
            self.wfile.write(said or b"")

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
