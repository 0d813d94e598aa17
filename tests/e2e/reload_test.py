"""Rules that change while the embedded service runs."""
import json
import pathlib
import signal
import tempfile
import time
import unittest

from support import Receiver, Service

GROUP = """groups:
- name: calls
  defaults: {group_by: [env, agent], actions: [page], keep_firing_for: 10m, max_series: 100}
  rules:
"""
CALLS = "  - {alert: Calls, from: step, value: count(), window: 5m, when: value > 3}\n"
STEPS = "  - {alert: Steps, from: step, value: count(), window: 5m, when: value > 3}\n"


def wait_for(condition, timeout, what):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


class Reload(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name) / "rules.yaml"
        self.file.write_text(GROUP + CALLS)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)

    def start(self, clock):
        service = Service(self.receiver, clock=clock, rules=[self.file])
        self.addCleanup(service.stop)
        return service

    def pages(self):
        return [(page["data"]["alert"], page["data"]["state"]) for page in self.receiver.pages]

    def test_a_changed_file_is_in_force_half_a_minute_later(self):
        service = self.start("wall")
        service.post_lines([json.dumps({"type": "step", "correlation_id": f"t{i}", "agent": "support", "env": "prod"})
                            for i in range(6)])
        wait_for(lambda: ("Calls", "firing") in self.pages(), 60, service.log)

        self.file.write_text(GROUP + CALLS + "  - {alert: Calls}\n")
        status, answer = service.call("POST", "/-/reload")
        self.assertEqual(status, 400)
        self.assertIn("rules.yaml:6", json.loads(answer)["problems"][0])
        wait_for(lambda: ("RulesNotLoaded", "firing") in self.pages(), 30, service.log)

        self.file.write_text(GROUP + STEPS)
        status, answer = service.call("POST", "/-/reload")
        self.assertEqual((status, json.loads(answer)["state"]), (202, "proposed"))
        wait_for(lambda: service.get("/v1/rules")["alerts"] == ["Steps"], 90, service.log)
        self.assertEqual(service.get("/v1/rules")["epoch"], 1)
        # The steps were counted before, and by the same aggregate.
        wait_for(lambda: {("Steps", "firing"), ("Calls", "resolved"), ("RulesNotLoaded", "resolved")}
                 <= set(self.pages()), 60, service.log)
        status, answer = service.call("POST", "/-/reload")
        self.assertEqual((status, json.loads(answer)["state"]), (200, "in force"))

    def test_rules_do_not_change_while_events_drive_the_clock(self):
        service = self.start("events")
        self.assertEqual(service.call("POST", "/-/reload")[0], 409)
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "can't be changed" in service.log(), 10, service.log)
        self.assertIsNone(service.process.poll())


if __name__ == "__main__":
    unittest.main()
