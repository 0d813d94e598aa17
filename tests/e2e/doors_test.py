"""The doors for SDKs' uploads, on the bus in memory: what 28 real clients posted, who may come in, what is too much, and
what is passed on to the vendor."""
import gzip
import http.server
import json
import os
import pathlib
import tempfile
import threading
import time
import unittest
import zlib

from recorded import DATA, FIGURES, requests_of, truth, with_token
from support import Service

TOKEN = "of the tests alone"
RUN = {"id": "r1", "trace_id": "r1", "name": "support", "run_type": "chain", "start_time": "2026-11-21T01:52:09Z",
       "inputs": {"question": "mail me at jane@example.com"}}


class Vendor(http.server.ThreadingHTTPServer):
    """Where uploads are passed on to; as slow as it is told to be."""

    def __init__(self):
        self.seen, self.delay_s = [], 0
        vendor = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                vendor.seen.append((self.path, dict(self.headers.items()), body))
                time.sleep(vendor.delay_s)
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.handle_error = lambda *_: None
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Doors(unittest.TestCase):
    def start(self, **options):
        service = Service(clock="wall", **options)
        self.addCleanup(service.stop)
        return service

    def with_receive(self, text, **options):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        (pathlib.Path(folder.name) / "tokens").write_text(f"another\n{TOKEN}\n")
        return self.start(extra=f"receive:\n  tokens_file: {folder.name}/tokens\n{text}", **options)

    @unittest.skipUnless(DATA.exists(), "no recordings beside the project")
    def test_every_recorded_client_shows_what_is_true(self):
        service = self.with_receive("")
        expected = {name: 0 for name in FIGURES}
        tasks = 0
        for client, own in truth().items():
            for method, path, headers, body in requests_of(client):
                status, answer = service.call(method, path, None if method == "GET" else body,
                                              with_token(headers, TOKEN))
                self.assertIn(status, (200, 202, 207), f"{client}: {method} {path} {answer}")
                if path.endswith("/ingestion"):
                    said = json.loads(answer)
                    batch = json.loads(body)["batch"]
                    self.assertEqual([one["id"] for one in said["successes"]], [one["id"] for one in batch])
                    self.assertEqual(said["errors"], [])
                if path == "/info":
                    self.assertIn("batch_ingest_config", json.loads(answer))
                    self.assertIn("/evp_proxy/v2/", json.loads(answer)["endpoints"])
            for name in FIGURES:
                expected[name] += own["shown"][name]
            tasks += own["tasks"]
        service.settle()
        events = [json.loads(record["value"]) if isinstance(record["value"], str) else record["value"]
                  for record in service.topic("events")]
        calls = [event for event in events if event["type"] == "step" and "tokens_in" in event]
        self.assertEqual(sum(event["tokens_in"] for event in calls), expected["tokens_in"])
        self.assertEqual(sum(event.get("tokens_cached", 0) for event in calls), expected["tokens_cached"])
        self.assertEqual(sum(event["tokens_out"] for event in calls), expected["tokens_out"])
        tools = [event for event in events if event["type"] == "tool.call"]
        self.assertEqual(len(tools), expected["tool_calls"])
        self.assertEqual(sum("error_type" in event for event in tools), expected["tool_errors"])
        everything = service.everything()
        for planted in (b"jane.roe@example.com", b"PLANTD27", b"wT9fKe3PLANTED7qZr4vKd"):
            self.assertNotIn(planted, everything)
        halted = {event["correlation_id"] for event in events if event.get("findings")}
        # Helicone's two loggers keep one session apart by nothing but its name.
        self.assertGreaterEqual(len(halted), tasks - 1)

    def test_a_token_opens_in_each_vendors_own_way(self):
        service = self.with_receive("")
        basic = "Basic cGstbGY6b2YgdGhlIHRlc3RzIGFsb25l"  # pk-lf: and the token
        for headers in ({"authorization": f"Bearer {TOKEN}"}, {"authorization": basic}, {"authorization": TOKEN},
                        {"x-api-key": TOKEN}, {"dd-api-key": "another"}, {"helicone-auth": f"Bearer {TOKEN}"}):
            self.assertEqual(service.call("POST", "/runs", RUN, headers)[0], 202, headers)
        for headers in ({}, {"authorization": "Bearer no"}, {"x-api-key": ""}, {"authorization": "Basic bm8="}):
            status, answer = service.call("POST", "/runs", RUN, headers)
            self.assertEqual(status, 401)
            self.assertNotIn(TOKEN.encode(), answer)
        self.assertEqual(service.call("GET", "/info")[0], 401)
        metrics = service.call("GET", "/metrics")[1].decode()
        self.assertIn('tocsin_uploads_total{door="langsmith",result="not_allowed"} 4', metrics)
        self.assertNotIn(TOKEN, service.log() + metrics)

    def test_what_cant_be_read_is_refused_with_the_reason_alone(self):
        service = self.start()
        for path, headers, body, status, reason in (
                ("/runs/batch", {}, b'{"secret":"AKIAODZDOCIS2JHTLGMX"', 400, "not_json"),
                ("/runs/batch", {}, b"{}", 400, "unknown_form"),
                ("/runs/batch", {"content-encoding": "br"}, b"{}", 415, "compression"),
                ("/v1/traces", {"content-encoding": "gzip"}, gzip.compress(b"\x0a\x05ab"), 400, "not_protobuf"),
                ("/v0.4/traces", {"content-type": "application/msgpack"}, b"\x91" * 1000, 400, "not_msgpack")):
            got, answer = service.call("POST", path, body, headers)
            self.assertEqual((got, json.loads(answer)["reason"]), (status, reason), path)
            self.assertNotIn(b"AKIA", answer)
        self.assertEqual(service.call("POST", "/v1/traces", b"", {"content-type": "application/x-protobuf"}), (200, b""))

    def test_F42_a_bomb_of_compression_is_refused_at_the_limit(self):
        service = self.with_receive("  max_upload_bytes: 1048576\n")
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(1024)) + packer.flush()  # a GiB in 1 MB
        begun = time.monotonic()
        status, answer = service.call("POST", "/v1/traces", bomb,
                                      {"content-encoding": "gzip", "x-api-key": TOKEN})
        self.assertEqual((status, json.loads(answer)["reason"]), (413, "too_large"))
        resident = int(pathlib.Path(f"/proc/{service.process.pid}/statm").read_text().split()[1]) * 4096
        self.assertLess(resident, 400 << 20)
        self.assertLess(time.monotonic() - begun, 10)

    def test_too_many_at_once_are_asked_to_come_again(self):
        service = self.with_receive("  max_per_second: 1\n")
        statuses = [service.call("POST", "/runs", dict(RUN, id=f"r{i}", trace_id=f"r{i}"), {"x-api-key": TOKEN})[0]
                    for i in range(8)]
        self.assertEqual(statuses[:2], [202, 202])
        self.assertIn(429, statuses)

    def test_the_vendor_gets_each_upload_as_it_came_and_delays_nothing(self):
        vendor = Vendor()
        self.addCleanup(vendor.shutdown)
        service = self.with_receive(f"  forward_to: http://127.0.0.1:{vendor.server_port}/base\n")
        body = gzip.compress(json.dumps({"post": [RUN]}).encode())
        headers = {"content-encoding": "gzip", "content-type": "application/json", "x-api-key": TOKEN}
        self.assertEqual(service.call("POST", "/runs/batch", body, headers)[0], 202)
        deadline = time.monotonic() + 10
        while not vendor.seen and time.monotonic() < deadline:
            time.sleep(0.02)
        path, seen, passed_on = vendor.seen[0]
        self.assertEqual((path, passed_on), ("/base/runs/batch", body))
        lower = {name.lower(): value for name, value in seen.items()}
        self.assertEqual((lower["content-encoding"], lower["x-api-key"]), ("gzip", TOKEN))
        vendor.delay_s = 5
        begun = time.monotonic()
        for i in range(20):
            run = dict(RUN, id=f"s{i}", trace_id=f"s{i}")
            self.assertEqual(service.call("POST", "/runs", run, {"x-api-key": TOKEN})[0], 202)
        self.assertLess(time.monotonic() - begun, 4)
        vendor.delay_s = 0


if __name__ == "__main__":
    unittest.main()
