"""What the end-to-end tests share: the real program, a real receiver, and clients of its doors."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOCSIN = os.environ.get("TOCSIN", str(ROOT / "build/release/tocsin"))
DUMP_RUNS = os.environ.get("TOCSIN_DUMP_RUNS", str(ROOT / "build/release/tests/tocsin_dump_runs"))
SIGNING_KEY = b"a key for signatures, of the tests alone"
SIGNING_SECRET = "whsec_" + base64.b64encode(SIGNING_KEY).decode()


def run(*arguments, **options):
    return subprocess.run([TOCSIN, *arguments], capture_output=True, text=True, timeout=300, **options)


def json_lines(text):
    return [json.loads(line) for line in text.splitlines() if line]


class Receiver:
    """Takes pages, checks their signatures, and answers as told: by `answers` first, else with `status`, `delay_s`
    after it took the page."""

    def __init__(self):
        self.pages, self.bodies, self.bad_signatures, self.answers = [], [], [], []
        self.status, self.delay_s = 204, 0
        self.on_page = lambda page: None
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.bodies.append(body)
                status, headers = receiver.answers.pop(0) if receiver.answers else (receiver.status, {})
                signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
                wanted = "v1," + base64.b64encode(hmac.new(SIGNING_KEY, signed, hashlib.sha256).digest()).decode()
                if wanted not in self.headers["webhook-signature"].split(" "):
                    receiver.bad_signatures.append(body)
                page = json.loads(body)
                if self.headers["webhook-id"] != page["data"]["page_id"]:
                    receiver.bad_signatures.append(body)
                if status < 300:
                    receiver.on_page(page)
                    receiver.pages.append(page)
                time.sleep(receiver.delay_s)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.handler, self.server = Handler, None
        self._listen(0)
        self.url = f"http://127.0.0.1:{self.server.server_port}/pages"

    def _listen(self, port):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self.handler)
        self.server.handle_error = lambda *_: None  # a client that was killed while it waited for its answer
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop_listening(self):
        """Connections are refused from here on."""
        self.close()
        self.server = None

    def is_well(self):
        return self.server is not None and self.status == 204 and self.delay_s == 0

    def heal(self):
        self.status, self.delay_s = 204, 0
        while self.server is None:
            try:
                self._listen(int(self.url.rsplit(":", 1)[1].split("/")[0]))
            except OSError:  # somebody's outgoing connection has the port for a moment
                time.sleep(0.1)

    def page_ids(self):
        return [page["data"]["page_id"] for page in self.pages]

    def close(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


class Service:
    """`tocsin run --embedded` with a configuration of the test's own."""

    def __init__(self, receiver=None, halts="enforce", clock="events", rules=(), extra=""):
        self.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.folder.name)
        (folder / "secret").write_text(SIGNING_SECRET + "\n")
        config = f"halts: {{mode: {halts}}}\nclock: {clock}\nlog_level: debug\nhttp: {{port: 0}}\n{extra}\n"
        if rules:
            config += f"rules: {json.dumps([str(path) for path in rules])}\n"
        if receiver:
            config += (f"receivers:\n- {{name: test, url: '{receiver.url}', secret_file: secret, "
                       "allow_cidrs: ['127.0.0.0/8']}\n")
        (folder / "tocsin.yaml").write_text(config)
        self.log_path = folder / "log"
        self.log_file = open(self.log_path, "wb")
        self.process = subprocess.Popen([TOCSIN, "run", "--embedded", "--config", str(folder / "tocsin.yaml")],
                                        stdout=self.log_file, stderr=self.log_file)
        self.url = None
        deadline = time.monotonic() + 30
        while self.url is None:
            text = self.log()
            if "listening on " in text:
                self.url = text.split("listening on ")[1].split(":", 3)[:3]
                self.url = ":".join(self.url)
            elif self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the service did not start:\n" + text)
            else:
                time.sleep(0.02)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def call(self, method, path, body=None, headers=None):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def get(self, path):
        status, body = self.call("GET", path)
        assert status == 200, (status, body)
        return json.loads(body)

    def post_lines(self, lines, batch=1000):
        for begin in range(0, len(lines), batch):
            body = ("\n".join(lines[begin:begin + batch]) + "\n").encode()
            while True:
                status, answer = self.call("POST", "/v1/events", body)
                if status != 503:
                    break
                time.sleep(0.05)
            assert status == 202, (status, answer)

    def settle(self, timeout=120):
        """Waits until everything that was posted has been evaluated and delivered."""
        deadline = time.monotonic() + timeout
        while not self.get("/v1/status")["idle"]:
            assert time.monotonic() < deadline, "the service does not come to rest"
            time.sleep(0.02)

    def topic(self, name):
        records, offset = [], 0
        while True:
            page = self.get(f"/v1/topics/{name}?from={offset}&limit=5000")
            if not page["records"]:
                return records
            records += page["records"]
            offset = page["next"]

    def everything(self):
        """Every byte that the service lets out."""
        parts = [self.log().encode()]
        for path in ("/metrics", "/v1/status", "/v1/alerts", "/v1/halts", "/"):
            parts.append(self.call("GET", path)[1])
        for name in ("halts", "outbox", "events", "dead-letters", "investigations", "spec-gaps", "halt-acks"):
            parts.append(json.dumps(self.topic(name)).encode())
        return b"\n".join(parts)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=20)
        self.log_file.close()
        self.folder.cleanup()


def generated(seed, folder, days=3):
    """Generated runs as lines, their incidents, and a file that holds the lines."""
    path = pathlib.Path(folder) / f"runs-{seed}.jsonl"
    with open(path, "wb") as out:
        done = subprocess.run([DUMP_RUNS, str(seed), "1", "with", str(days)], stdout=out, stderr=subprocess.PIPE, check=True)
    return path.read_text().splitlines(), json_lines(done.stderr.decode()), path
