"""A condition that comes new into rules that run: it knows what was usual before it came, from the topics, and judges
at once; also where the process dies while it looks back."""
import json
import re
import time
import unittest

from broker import Broker
from kafka_support import Setup, create_topic, make_producer, wait_for
from service_test import now_ms, utc
from support import Receiver

HEAD = """groups:
- name: g
  defaults: {group_by: [env, agent], actions: [page], keep_firing_for: 10m, max_series: 100}
  rules:
  - {alert: Calls, from: tool.call, value: count(), window: 5m, when: value > 1000000}
"""
NEW = """
  - {alert: CostRise, from: step, value: sum(cost), window: 10m, min_samples: 3, when: value > 3 * baseline,
     baseline: {range: 3h, min_samples: 100, min_blocks: 3}}
  - {alert: Busy, from: step, where: agent == "busy", value: count(), window: 1h, when: value >= 170}
"""
MINUTES = 5 * 60
PARTITIONS = 3


class Past(unittest.TestCase):
    def test_a_new_condition_judges_by_what_was_there_before_it(self):
        with Broker() as broker:
            receiver = Receiver()
            self.addCleanup(receiver.close)
            create_topic(broker.bootstrap, "telemetry", PARTITIONS)
            setup = Setup(broker.bootstrap, ["telemetry"], receiver)
            self.addCleanup(setup.close)
            rules = setup.path / "rules"
            rules.mkdir()
            (rules / "rules.yaml").write_text(HEAD)
            setup.config.write_text(setup.config.read_text() + f"\nrules: {json.dumps([str(rules)])}\n")
            setup.create_topics()
            producer = make_producer(broker.bootstrap)

            def send(agent, number, stamp, cost):
                event = {"type": "step", "correlation_id": f"{agent}-{number}", "env": "prod", "agent": agent,
                         "cost_usd": cost, "time": utc(stamp)}
                producer.produce("telemetry", json.dumps(event), key=event["correlation_id"], timestamp=stamp,
                                 partition=number % PARTITIONS)
                producer.poll(0)

            begin = now_ms() - MINUTES * 60_000
            for minute in range(MINUTES):
                for agent in ("busy", "calm"):
                    for i in range(3):
                        send(agent, 3 * minute + i, begin + minute * 60_000 + i * 15_000, 0.01)
            self.assertEqual(producer.flush(60), 0)

            def pages(alert):
                return [page["data"] for page in receiver.pages
                        if page["data"]["alert"] == alert and page["data"]["state"] == "firing"]

            def said():
                return setup.logs().decode(errors="replace")[-6000:]

            def metric(process, name):
                text = process.call("GET", "/metrics")[1].decode()
                return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1])

            first = setup.start("first")
            wait_for(lambda: metric(first, "tocsin_records_total") >= 6 * MINUTES, 90, said)
            (rules / "rules.yaml").write_text(HEAD + NEW)
            self.assertEqual(first.call("POST", "/-/reload")[0], 202)
            in_force = "in force from"
            wait_for(lambda: said().count(in_force) >= 1 and "CostRise" in json.dumps(
                json.loads(first.call("GET", "/v1/rules")[1])["alerts"]), 120, said)
            # Whoever comes next knows what is owed.
            time.sleep(2)
            first.kill()
            begun = time.monotonic()
            second = setup.start("second")
            # Nothing of it has happened since: the window of an hour is full of what was there before.
            wait_for(lambda: pages("Busy"), 150, said)
            print(f"\nthe past was there {time.monotonic() - begun:.0f} s after the start of the next process")
            self.assertEqual([page["labels"]["agent"] for page in pages("Busy")], ["busy"])
            self.assertFalse(pages("CostRise"))
            for i in range(12):
                send("calm", i, now_ms(), 0.4)
            self.assertEqual(producer.flush(30), 0)
            wait_for(lambda: pages("CostRise"), 60, said)
            page = pages("CostRise")[0]
            self.assertEqual(page["labels"]["agent"], "calm")
            # Three calls a minute at a cent, over ten minutes.
            self.assertAlmostEqual(page["baseline"], 0.30, delta=0.02)
            self.assertIn("look back in telemetry/", said())
            ids = receiver.page_ids()
            self.assertEqual(len(ids), len(set(ids)))
            self.assertEqual(metric(second, "tocsin_blocks_refused_total"), 0)


if __name__ == "__main__":
    unittest.main()
