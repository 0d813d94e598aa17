"""What the single faults share: a broker for a file of them, a load with some hundred pages, and its comparison with
`replay`. A test is named after its fault; tests/faults.md lists them all."""

import collections
import json
import os
import pathlib
import re
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/chaos"), str(ROOT / "tests/kafka"), str(ROOT / "tests/e2e")]
from load import PARTITIONS, RULES, Feed, expect, telemetry  # noqa: E402
from kafka_support import BrokerTest, produce, read_all, wait_for  # noqa: E402

LONG = unittest.skipUnless(os.environ.get("TOCSIN_LONG_FAULTS"), "takes minutes: set TOCSIN_LONG_FAULTS=1")
RECORDS = 6_000  # some five hours of the generated runs
STOPS_WITHIN_S = 10
SILENT_FOR_S = 90


def leak(key):
    """An event with a credential in it, as it would happen now: one page, at once."""
    secret = "AKIA" + "ODZDOCIS2JHTLGMX"
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "Z"
    return (f'{key}\t{{"type":"tool.call","time":"{now}","correlation_id":"{key}","env":"live","agent":"a","tool":"t",'
            f'"content":{{"result":"key {secret}"}}}}')


class FaultTest(BrokerTest):
    broker_options = {"partitions": PARTITIONS}

    def setup_for(self, name, partitions=PARTITIONS, **options):
        return self.setup_with(name, partitions, extra=f"rules: {json.dumps([str(path) for path in RULES])}", **options)

    def load(self, name, seconds=8, **options):
        """A setup, its expectation, and a feed that is not started yet."""
        setup = self.setup_for(name, kafka="idle_close: false\n" + options.pop("kafka", ""), **options)
        lines = telemetry(seed=len(name), days=1, most=RECORDS)
        expected = expect(lines, setup.path, setup.config)
        self.assertGreater(expected.pages.total(), 40)
        feed = Feed(self.broker.bootstrap, setup.sources[0], lines, seconds)
        self.addCleanup(feed.end)
        return setup, expected, feed

    def leak(self, setup, key="leak"):
        produce(self.broker.bootstrap, setup.sources[0], [leak(key)])

    def wait_for(self, condition, seconds, what, setup=None):
        wait_for(condition, seconds, lambda: what + ("\n" + setup.logs().decode(errors="replace")[-6000:]
                                                     if setup else ""))

    def wait_for_pages(self, expected, setup, silent_for=SILENT_FOR_S):
        """However slow they come: they are missing when none came for long."""
        count, moved = 0, time.monotonic()
        while missing := expected.pages - collections.Counter(self.receiver.page_ids()):
            if len(self.receiver.pages) > count:
                count, moved = len(self.receiver.pages), time.monotonic()
            if time.monotonic() - moved > silent_for:
                self.fail(f"missing: {sorted(missing)}\n" + setup.logs().decode(errors="replace")[-6000:])
            time.sleep(0.1)

    def alerts(self):
        return [page["data"]["alert"] for page in self.receiver.pages]

    def ids_of(self, alert):
        """Of the pages that were received for an alert, each once."""
        return {page["data"]["page_id"] for page in self.receiver.pages if page["data"]["alert"] == alert}

    def assert_as_replay_says(self, expected, setup, name):
        """After a while, in which what is extra would come."""
        time.sleep(3)
        self.assertEqual(set(self.receiver.page_ids()), set(expected.pages))
        outbox = [json.loads(value)["data"]["page_id"] for _, _, value in read_all(self.broker.bootstrap,
                                                                                   f"{name}.outbox")
                  if value and value.startswith(b"{")]
        self.assertEqual(collections.Counter(outbox), expected.pages)
        halts = {json.loads(value)["halt_id"] for _, _, value in read_all(self.broker.bootstrap, f"{name}.halts")
                 if value}
        self.assertEqual(halts, expected.halts)

    def figure(self, process, metric):
        text = process.call("GET", "/metrics")[1].decode()
        return float(re.search("^" + re.escape(metric) + r" (\S+)", text, re.M).group(1))
