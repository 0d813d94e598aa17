"""A level that a person accepts: what the alert, its receiver and the log make of it."""
import json
import pathlib
import tempfile
import unittest

from support import Receiver, Service, run

RULES = """
groups:
- name: test
  rules:
  - alert: CostSpike
    from: step
    group_by: [env, agent]
    value: per_hour(cost)
    window: 1h
    min_samples: 20
    baseline: {range: 24h, block: 1h, min_blocks: 4}
    when: value > 2 * baseline
    keep_firing_for: 10m
    actions: [page]
    annotations: {summary: "{{agent}} spends {{value|usd}}/h"}
  - {alert: ManyCalls, from: tool.call, value: count(), window: 5m, when: value > 3}
"""


class Accept(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        rules = pathlib.Path(self.folder.name) / "rules.yaml"
        rules.write_text(RULES)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.service = Service(self.receiver, rules=[rules])
        self.addCleanup(self.service.stop)
        self.minute = 0

    def spend(self, hours, dollars, agent="support"):
        """One step a minute for so many hours: the events drive the clock."""
        lines = []
        for self.minute in range(self.minute, self.minute + round(hours * 60)):
            time = f"2026-03-{1 + self.minute // 1440:02d}T{self.minute // 60 % 24:02d}:{self.minute % 60:02d}"
            lines.append(json.dumps({"type": "step", "time": time + ":05Z", "agent": agent, "env": "prod",
                                     "correlation_id": f"{agent}-{self.minute}", "cost_usd": dollars}))
        self.minute += 1
        self.service.post_lines(lines)
        self.service.settle()

    def accept(self, *arguments, status=0):
        done = run("baselines", "accept", *arguments, "--url", self.service.url)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def pages(self):
        return [page["data"]["state"] for page in self.receiver.pages]

    def test_the_alert_resolves_and_fires_again_only_for_twice_as_much(self):
        self.spend(12, 0.1)
        self.spend(0.7, 0.4)
        self.assertEqual(self.pages(), ["firing"])
        said = self.accept("CostSpike", "agent=support", "--by", "ann", "--reason", "the new model costs more")
        self.assertIn("CostSpike env=prod agent=support: its level is accepted", said)
        self.spend(0.1, 0.4)
        self.assertEqual(self.pages(), ["firing", "resolved"])
        resolved = self.receiver.pages[-1]["data"]
        self.assertEqual(resolved["reason"], "accepted by ann: the new model costs more")
        self.assertEqual(resolved["dedup_key"], self.receiver.pages[0]["data"]["dedup_key"])
        self.assertEqual(self.service.get("/v1/alerts")["recent"][0]["reason"], resolved["reason"])
        self.assertIn("the level of CostSpike for env=prod agent=support was accepted by ann: the new model costs more",
                      self.service.log())
        self.spend(8, 0.4)
        self.assertEqual(self.pages(), ["firing", "resolved"], "for that level it fires no more")
        self.spend(1, 1.0)
        self.assertEqual(self.pages(), ["firing", "resolved", "firing"])
        self.assertAlmostEqual(self.receiver.pages[-1]["data"]["baseline"], 24, delta=1)

    def test_what_can_not_be_accepted_is_refused_with_the_reason(self):
        self.spend(12, 0.1)
        who = ("--by", "ann", "--reason", "why")
        for arguments, reason in (
                (("CostSpikes", *who), "status 404: there is no alert CostSpikes; those with a baseline: CostSpike"),
                (("ManyCalls", *who), "status 409: ManyCalls has no baseline"),
                (("CostSpike", "agent=support", *who), "status 404: CostSpike does not fire for agent=support"),
                (("CostSpike", "agnet=support", *who), "status 400: CostSpike has no label agnet"),
                (("CostSpike", "support", *who), "'support' is no LABEL=VALUE"),
                (("CostSpike", "--reason", "why"), "--by is required"),
                (("CostSpike", "--by", "ann"), "--reason is required")):
            self.assertIn(reason, self.accept(*arguments, status=2), arguments)
        self.assertEqual(self.service.get("/v1/silences")["silences"], [])
        self.assertEqual(self.pages(), [])


if __name__ == "__main__":
    unittest.main()
