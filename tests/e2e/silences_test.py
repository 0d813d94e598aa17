"""Silences, and halts that nobody acknowledges: what reaches a receiver, and when."""
import json
import pathlib
import shlex
import tempfile
import time
import unittest

from support import Receiver, Service, run

RULES = """
groups:
- name: test
  rules:
  - alert: ManyCalls
    from: tool.call
    group_by: [env, agent]
    value: count()
    window: 5m
    when: value > 3
    actions: [page]
    annotations: {summary: "{{agent}} calls too much"}
"""


class Silences(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        rules = pathlib.Path(self.folder.name) / "rules.yaml"
        rules.write_text(RULES)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.service = Service(self.receiver, rules=[rules])
        self.addCleanup(self.service.stop)
        self.calls(0)

    def calls(self, minute, count=1, agent="support"):
        """So many calls in this minute, and the slice after them closed: the events drive the clock."""
        events = [{"type": "tool.call", "time": f"2026-03-01T10:{minute:02d}:{second:02d}Z", "agent": agent,
                   "correlation_id": f"{agent}-{minute}", "tool": "search"} for second in range(count)]
        events.append({"type": "step", "time": f"2026-03-01T10:{minute:02d}:40Z", "agent": agent,
                       "correlation_id": f"{agent}-{minute}", "step_type": "final"})
        self.service.post_lines([json.dumps(event) for event in events])
        self.service.settle()

    def tocsin(self, *arguments, status=0):
        done = run(*arguments, "--url", self.service.url)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def silence(self, *matchers, minutes=60):
        return json.loads(self.tocsin("silences", "add", *matchers, "--for", f"{minutes}m", "--by", "ann", "--reason",
                                      "a known outage", "-o", "json"))["silence_id"]

    def pages(self):
        return [(page["data"]["labels"]["agent"], page["data"]["state"]) for page in self.receiver.pages]

    def test_a_silenced_alert_that_ends_under_its_silence_wakes_nobody(self):
        self.silence("agent=support")
        self.calls(1, 9)
        self.calls(2, 9, "billing")
        firing = {alert["labels"]["agent"]: alert["silenced_by"] for alert in self.service.get("/v1/alerts")["firing"]}
        self.assertIsNotNone(firing["support"], "it fires, silenced or not")
        self.assertIsNone(firing["billing"])
        self.assertIn("tocsin_pages_withheld 1", self.service.call("GET", "/metrics")[1].decode())
        self.calls(20)
        self.calls(21, 1, "billing")
        self.assertEqual(self.pages(), [("billing", "firing"), ("billing", "resolved")])

    def test_a_page_is_sent_when_its_silence_ends_while_the_alert_fires(self):
        self.silence("alertname=ManyCalls", "agent=~sup.*", minutes=10)
        for minute in range(1, 15, 2):
            self.calls(minute, 9)
            self.assertEqual(self.pages(), [("support", "firing")] if minute > 10 else [], minute)
        self.calls(30)
        self.assertEqual(self.pages(), [("support", "firing"), ("support", "resolved")])
        first, second = self.receiver.pages
        self.assertEqual(first["data"]["dedup_key"], second["data"]["dedup_key"])

    def test_expiring_a_silence_sends_what_it_withheld(self):
        silence = self.silence("agent=support")
        self.calls(1, 9)
        self.assertEqual(self.pages(), [])
        self.tocsin("silences", "expire", silence, "--by", "bob")
        self.calls(2, 9)
        self.assertEqual(self.pages(), [("support", "firing")])
        self.assertIn("expired by bob", self.tocsin("silences", "list"))
        self.assertIn("ended already", self.tocsin("silences", "expire", silence, "--by", "bob", status=2))

    def test_a_resolution_closes_its_incident_under_a_silence_too(self):
        self.calls(1, 9)
        self.silence("agent=support")
        self.calls(20)
        self.assertEqual(self.pages(), [("support", "firing"), ("support", "resolved")])

    def test_the_command_of_a_page_silences_its_group(self):
        self.calls(1, 9)
        command = self.receiver.pages[0]["data"]["command"]
        words = shlex.split(command)
        self.assertEqual(words[0], "tocsin")
        self.tocsin(*words[1:])
        alert, = self.service.get("/v1/alerts")["firing"]
        self.assertEqual(alert["silenced_by"], self.service.get("/v1/silences")["silences"][0]["silence_id"])

    def test_what_is_no_silence_is_refused_with_the_reason(self):
        for body, reason in (
                ({}, "either 'for'"),
                ({"for": "2h"}, "at least one matcher"),
                ({"for": "2h", "matchers": "agent=support"}, "'by'"),
                ({"for": "2h", "matchers": ["agent=~("], "by": "a", "reason": "b"}, "regular expression"),
                ({"for": "2h", "matchers": [1], "by": "a", "reason": "b"}, "name of a label"),
                ({"for": "2h", "matchers": ["env=~.*"], "by": "a", "reason": "b"}, "at least one must"),
                ({"for": "2h", "until": "2026-03-02T10:00:00Z", "matchers": "a=b"}, "either 'for'"),
                ({"until": "2020-03-02T10:00:00Z", "matchers": "a=b", "by": "a", "reason": "b"}, "before it begins"),
                ({"for": "2h", "from": "soon", "matchers": "a=b", "by": "a", "reason": "b"}, "'from'")):
            status, answer = self.service.call("POST", "/v1/silences", body)
            self.assertEqual(status, 400, body)
            self.assertIn(reason, json.loads(answer)["error"])
        self.assertEqual(self.service.call("POST", "/v1/silences/expire", {"id": "none", "by": "a"})[0], 404)
        self.assertEqual(self.service.get("/v1/silences")["silences"], [])


class Acknowledgements(unittest.TestCase):
    def test_a_halt_that_nobody_acknowledges_is_a_page_until_somebody_does(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        service = Service(receiver, clock="wall")
        self.addCleanup(service.stop)
        drills = {}
        for scope in ("task:deaf", "task:hears", "task:released"):
            drills[scope] = json.loads(service.call("POST", "/v1/halts/drill", {"scope": scope, "by": "ann"})[1])
        acknowledge = {"halt_id": drills["task:hears"]["halt_id"], "scope": "task:hears", "by": "an agent"}
        self.assertEqual(service.call("POST", "/v1/halt-acks", acknowledge)[0], 202)
        service.call("POST", "/v1/halts/release", {"scope": "task:released", "by": "ann", "reason": "seen"})

        def wait_for(count, seconds):
            until = time.monotonic() + seconds
            while len(receiver.pages) < count and time.monotonic() < until:
                time.sleep(0.05)
            self.assertEqual(len(receiver.pages), count)
            return receiver.pages[-1]["data"]

        began = time.monotonic()
        page = wait_for(1, 45)
        self.assertGreater(time.monotonic() - began, 28)
        self.assertEqual((page["alert"], page["state"]), ("HaltNotAcknowledged", "firing"))
        self.assertEqual(page["labels"]["scope"], "task:deaf")
        acknowledge = {"halt_id": drills["task:deaf"]["halt_id"], "scope": "task:deaf", "by": "an agent"}
        service.call("POST", "/v1/halt-acks", acknowledge)
        page = wait_for(2, 10)
        self.assertEqual((page["state"], page["reason"]), ("resolved", "acknowledged by an agent"))
        self.assertEqual(page["labels"]["scope"], "task:deaf")


if __name__ == "__main__":
    unittest.main()
