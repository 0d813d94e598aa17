"""The service on a real Kafka against `replay`: several processes give the same pages, and no more."""
import json
import os
import sys
import threading
import time
import unittest

from broker import Broker
from kafka_support import (Expected, Setup, create_topic, produce, read_all, shift_to_now, wait_for)
from support import ROOT, Receiver, generated

RULES = f"rules: {json.dumps([str(ROOT / 'rules')])}"


class Live(unittest.TestCase):
    """Four partitions, two processes; events with their own stamps, loaded before the start."""

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()
        cls.broker.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.broker.__exit__()

    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)

    def start(self, name, lines, **options):
        source = f"telemetry-{name}"
        create_topic(self.broker.bootstrap, source, 4)
        options["kafka"] = f"topic_prefix: {name}.\n" + options.get("kafka", "")
        setup = Setup(self.broker.bootstrap, [source], self.receiver, extra=RULES, **options)
        self.addCleanup(setup.close)
        setup.create_topics()
        lines = shift_to_now(lines)
        expected = Expected(lines, setup.path, setup.config, rules=ROOT / "rules")
        produce(self.broker.bootstrap, source, lines)
        return setup, expected

    def wait_for_pages(self, expected, setup, timeout=180):
        wait_for(lambda: set(self.receiver.page_ids()) >= expected.pages, timeout,
                 lambda: f"missing {[a for a in expected.alerts if a['page_id'] not in self.receiver.page_ids()]}\n"
                 + setup.logs().decode(errors="replace")[-6000:])

    def test_incidents_are_paged_as_replay_says(self):
        folder = os.environ.get("TMPDIR", "/tmp")
        lines, incidents, path = generated(1, folder)
        path.unlink()
        setup, expected = self.start("incidents", lines)
        self.assertGreaterEqual(len(expected.pages), 7)
        begun = time.monotonic()
        setup.start("one")
        setup.start("two")
        self.wait_for_pages(expected, setup)
        print(f"\n{len(lines)} events, {len(expected.pages)} pages after {time.monotonic() - begun:.1f} s", file=sys.stderr)
        time.sleep(3)
        self.assertEqual(set(self.receiver.page_ids()), expected.pages)
        self.assertEqual(len(self.receiver.page_ids()), len(expected.pages), "a page came twice")
        self.assertFalse(self.receiver.bad_signatures)
        halts = {json.loads(value)["halt_id"] for _, key, value in read_all(self.broker.bootstrap, "incidents.halts")}
        self.assertEqual(halts, expected.halts)

    def test_a_process_that_is_killed_ten_times_while_catching_up_loses_and_invents_nothing(self):
        lines, _, path = generated(2, os.environ.get("TMPDIR", "/tmp"))
        path.unlink()
        setup, expected = self.start("killed", lines)
        setup.start("stays", ready=False)
        for i in range(10):
            victim = setup.start(f"killed-{i}", ready=False)
            victim.wait_until_listening()
            time.sleep(0.3 + 0.5 * (i % 5))
            victim.kill()
        self.wait_for_pages(expected, setup)
        time.sleep(3)
        self.assertEqual(set(self.receiver.page_ids()), expected.pages)
        halts = {json.loads(value)["halt_id"] for _, key, value in read_all(self.broker.bootstrap, "killed.halts")}
        self.assertEqual(halts, expected.halts)


if __name__ == "__main__":
    unittest.main()
