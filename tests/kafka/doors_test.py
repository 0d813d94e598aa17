"""The doors for SDKs' uploads in front of a real Kafka: a process that only receives, others that do the rest."""
import json
import time
import unittest
import urllib.error
import urllib.request

from kafka_support import read_all, wait_for
from recorded import DATA, FIGURES, requests_of, truth, with_token
from service_test import KafkaTest, now_ms, utc
from support import SIGNING_SECRET

TOKEN = SIGNING_SECRET  # it stands in a file of every setup


class Doors(KafkaTest):
    def setup_for(self, name, **options):
        return super().setup_for(name, extra="receive: {tokens_file: secret}", **options)

    def post(self, process, path, body, method="POST"):
        request = urllib.request.Request(process.url + path, json.dumps(body).encode(), {"x-api-key": TOKEN},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return reply.status, dict(reply.headers)
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers)

    @unittest.skipUnless(DATA.exists(), "no recordings beside the project")
    def test_what_real_clients_post_halts_pages_and_is_counted_once(self):
        setup = self.setup_for("doors")
        door = setup.start("door", "--stages", "receive")
        setup.start("work", "--stages", "ingest,evaluate,deliver")
        expected = {name: 0 for name in FIGURES}
        for client, own in truth().items():
            for method, path, headers, body in requests_of(client):
                request = urllib.request.Request(door.url + path, None if method == "GET" else body,
                                                 with_token(headers, TOKEN), method=method)
                with urllib.request.urlopen(request, timeout=30) as reply:
                    self.assertIn(reply.status, (200, 202, 207))
            for name in FIGURES:
                expected[name] += own["shown"][name]
        source = read_all(self.broker.bootstrap, setup.sources[0])
        for _, key, value in source:
            self.assertEqual(json.loads(value).get("correlation_id", ""), (key or b"").decode())
            for planted in (b"jane.roe@example.com", b"PLANTD27", b"wT9fKe3PLANTED7qZr4vKd"):
                self.assertNotIn(planted, value)
        leaks = {json.loads(value)["correlation_id"] for _, _, value in source if b'"findings"' in value}

        def events():
            return [json.loads(value) for _, _, value in read_all(self.broker.bootstrap, "doors.events")]

        wait_for(lambda: sum(event["type"] == "step" and "tokens_in" in event for event in events()) >=
                 expected["model_calls"] - 1, 60, "the calls did not come through")
        time.sleep(2)
        calls = [event for event in events() if event["type"] == "step"]
        self.assertEqual(sum(event.get("tokens_in", 0) for event in calls), expected["tokens_in"])
        self.assertEqual(sum(event.get("tokens_out", 0) for event in calls), expected["tokens_out"])
        self.assertEqual(sum(event["type"] == "tool.call" for event in events()), expected["tool_calls"])
        halted = {json.loads(value)["scope"] for _, _, value in read_all(self.broker.bootstrap, "doors.halts") if value}
        self.assertEqual(halted, {f"task:{task}" for task in leaks})
        wait_for(lambda: len(self.receiver.pages) >= 5, 30, "nobody was paged")
        self.assertEqual({page["data"]["alert"] for page in self.receiver.pages} - {"SecretLeak", "HaltStorm"}, set())

    def test_while_the_broker_is_away_clients_are_asked_to_come_again_and_nothing_is_lost(self):
        setup = self.setup_for("away")
        door = setup.start("door", "--stages", "receive")

        def run(number):
            return {"id": f"r{number}", "trace_id": f"r{number}", "name": "a", "run_type": "chain",
                    "start_time": utc(now_ms())}

        self.assertEqual(self.post(door, "/runs", run(0))[0], 202)
        self.broker.kill()
        wait_for(lambda: self.post(door, "/runs", run(1))[0] == 503, 60, "a dead broker takes uploads")
        status, headers = self.post(door, "/runs", run(1))
        self.assertEqual((status, headers["Retry-After"]), (503, "1"))
        self.broker.start()
        wait_for(lambda: self.post(door, "/runs", run(1))[0] == 202, 90, "it takes none again")
        ids = [json.loads(value)["correlation_id"]
               for _, _, value in read_all(self.broker.bootstrap, setup.sources[0])]
        self.assertEqual(set(ids), {"r0", "r1"})


if __name__ == "__main__":
    unittest.main()
