"""Rules that change under two running processes: one set in force everywhere, from one grid time on."""
import datetime
import json
import signal
import time
import unittest

import service_test
from kafka_support import Setup, make_producer, wait_for

GROUP = """groups:
- name: calls
  defaults: {group_by: [env, agent], actions: [page], keep_firing_for: 10m, max_series: 100}
  rules:
"""
CALLS = "  - {alert: Calls, from: step, value: count(), window: 5m, when: value > 3}\n"
# A new aggregate is warming until its window is covered.
TOOLS = "  - {alert: Tools, from: tool.call, value: count(), window: 1m, when: value > 3}\n"
STEPS = "  - {alert: Steps, from: step, value: count(), window: 5m, when: value > 2}\n"


class RulesChange(service_test.KafkaTest):
    def start(self, setup, name, rules):
        """A process with rule files of its own."""
        folder = setup.path / f"rules-{name}"
        folder.mkdir()
        (folder / "rules.yaml").write_text(GROUP + rules)
        config = setup.config.read_text()
        config = config.replace(service_test.RULES, f"rules: {json.dumps([str(folder)])}")
        own = Setup.__new__(Setup)
        own.__dict__.update(setup.__dict__)
        own.config = setup.path / f"{name}.yaml"
        own.config.write_text(config)
        return own.start(name), folder / "rules.yaml"

    def rules(self, process):
        return json.loads(process.call("GET", "/v1/rules")[1])

    def pages(self, alert, state):
        return [page["data"] for page in self.receiver.pages
                if page["data"]["alert"] == alert and page["data"]["state"] == state]

    def wait_for_rules(self, processes, alerts):
        begun = time.monotonic()
        wait_for(lambda: all(sorted(self.rules(one)["alerts"]) == sorted(alerts) for one in processes), 120,
                 lambda: f"{alerts} are not in force: {[self.rules(one) for one in processes]}\n"
                 + "".join(one.log()[-3000:] for one in processes))
        seen = [self.rules(one) for one in processes]
        self.assertEqual(len({(one["epoch"], one["hash"], one["from"]) for one in seen}), 1, seen)
        # Decided a little ahead of the grid time from which on they count.
        begins = datetime.datetime.fromisoformat(seen[0]["from"].replace("Z", "+00:00"))
        time.sleep(max(0, (begins - datetime.datetime.now(datetime.timezone.utc)).total_seconds()) + 1)
        print(f"\nin force after {time.monotonic() - begun:.0f} s: {seen[0]}")

    def test_two_processes_change_together_and_a_mistake_changes_nothing(self):
        setup = self.setup_for("rules", partitions=3)
        producer = make_producer(self.broker.bootstrap)

        def send(count, kind):
            for i in range(count):
                event = {"type": kind, "correlation_id": f"task-{kind}-{i}", "agent": "support", "env": "prod",
                         "tool": "search"}
                producer.produce(setup.sources[0], json.dumps(event), key=event["correlation_id"])
            self.assertEqual(producer.flush(30), 0)

        one, one_file = self.start(setup, "one", CALLS)
        send(6, "step")
        wait_for(lambda: self.pages("Calls", "firing"), 60, lambda: "no page for Calls\n" + one.log()[-4000:])

        # New files come in with a process that starts; the one with the old files follows, and says so.
        two, two_file = self.start(setup, "two", CALLS + TOOLS)
        self.wait_for_rules([one, two], ["Calls", "Tools"])
        self.assertFalse(self.rules(one)["own_are_in_force"])
        self.assertTrue(self.rules(two)["own_are_in_force"])
        self.assertIn(b"tocsin_rules_files_differ 1", one.call("GET", "/metrics")[1])
        time.sleep(60)
        send(6, "tool.call")
        wait_for(lambda: self.pages("Tools", "firing"), 60, lambda: "no page for Tools\n" + two.log()[-4000:])

        # A mistake is said by the door, the metrics and a page, and changes nothing.
        two_file.write_text(GROUP + CALLS + "  - {alert: Tools, form: tool.call, value: count(), when: value > 3}\n")
        status, answer = two.call("POST", "/-/reload")
        self.assertEqual(status, 400, answer)
        self.assertIn("rules.yaml:6:", json.loads(answer)["problems"][0])
        wait_for(lambda: self.pages("RulesNotLoaded", "firing"), 30, lambda: "no page\n" + two.log()[-4000:])
        self.assertIn(b"tocsin_rules_reload_success 0", two.call("GET", "/metrics")[1])
        self.assertEqual(sorted(self.rules(one)["alerts"]), ["Calls", "Tools"])

        # The mended file is seen by itself. What it leaves out resolves, what stays goes on firing.
        two_file.write_text(GROUP + TOOLS + STEPS)
        self.wait_for_rules([one, two], ["Steps", "Tools"])
        wait_for(lambda: self.pages("RulesNotLoaded", "resolved") and self.pages("Calls", "resolved"), 60,
                 lambda: "not resolved\n" + two.log()[-4000:])
        self.assertEqual(self.pages("Calls", "resolved")[0]["reason"], "the rule was removed")
        self.assertFalse(self.pages("Tools", "resolved"))

        # SIGHUP; and one process dies before the rules are in force.
        one_file.write_text(GROUP + CALLS + TOOLS + STEPS)
        one.process.send_signal(signal.SIGHUP)
        time.sleep(12)
        two.kill()
        self.wait_for_rules([one], ["Calls", "Steps", "Tools"])
        self.assertFalse(self.pages("Tools", "resolved"))
        ids = self.receiver.page_ids()
        self.assertEqual(len(ids), len(set(ids)), "a rule that comes again goes on counting its episodes")
        self.assertIn(b"tocsin_blocks_refused_total 0", one.call("GET", "/metrics")[1])


if __name__ == "__main__":
    unittest.main()
