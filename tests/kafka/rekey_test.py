"""Telemetry that comes under any key, as the Collector writes it by default: a task's records meet all the same."""
import base64
import collections
import json
import random
import re
import time
import unittest

from kafka_support import Expected, Setup, create_topic, make_producer, produce, read_all, shift_to_now, stamp_of, wait_for
from recorded import DATA
from service_test import RULES, KafkaTest, incidents
from support import ROOT, json_lines, run

RECORDS = DATA.parent / "kafka"
PLANTED = (b"jane.roe@example.com", b"PLANTD27", b"wT9fKe3PLANTED7qZr4vKd")


class Rekey(KafkaTest):
    def unkeyed_setup(self, name, topics, partitions, kafka=""):
        for topic in topics:
            create_topic(self.broker.bootstrap, topic, partitions)
        setup = Setup(self.broker.bootstrap, topics, self.receiver, extra=RULES,
                      kafka=f"topic_prefix: {name}.\nkeyed_by: none\n{kafka}")
        self.addCleanup(setup.close)
        setup.create_topics()
        return setup

    def events(self, name):
        """Those that have an identity, each once: where partitions change hands some are published twice."""
        all_of_them = [json.loads(value) for _, _, value in read_all(self.broker.bootstrap, f"{name}.events")]
        return list({(one["type"], one.get("event_id"), one.get("span_id"), one.get("correlation_id")): one
                     for one in all_of_them if "event_id" in one or "span_id" in one}.values())

    @unittest.skipUnless(RECORDS.exists(), "no recordings beside the project")
    def test_what_a_collector_writes_by_default_is_counted_once_and_halts(self):
        spans, logs = "otlp-spans", "otlp-logs"
        setup = self.unkeyed_setup("collector", [spans, logs], 3, kafka="publish_spans: true\n")
        producer = make_producer(self.broker.bootstrap)
        for topic, file in ((spans, "otlp_spans_proto.jsonl"), (logs, "otlp_logs_json.jsonl")):
            for number, line in enumerate((RECORDS / file).read_text().splitlines()):
                producer.produce(topic, value=base64.b64decode(json.loads(line)["value_b64"]), partition=number % 3)
        producer.flush(30)
        for stages in ("rekey", "rekey", "ingest,evaluate,deliver"):
            setup.start(stages[:6], "--stages", stages)
        shown = json.loads((RECORDS / "truth.json").read_text())["shown"]
        wait_for(lambda: sum(event["type"] == "task.finished" for event in self.events("collector")) >=
                 shown["root_traces"], 60, "the tasks did not come through")
        time.sleep(3)
        events = self.events("collector")
        calls = [event for event in events if event["type"] == "step"]
        tools = [event for event in events if event["type"] == "tool.call"]
        self.assertEqual(len(calls), shown["model_calls"])
        for field in ("tokens_in", "tokens_cached", "tokens_out"):
            self.assertEqual(sum(event.get(field, 0) for event in calls), shown[field], field)
        self.assertEqual(len(tools), shown["tool_calls"])
        self.assertEqual(sum("error_type" in event for event in tools), shown["tool_errors"])
        keyed = read_all(self.broker.bootstrap, "collector.keyed")
        places = collections.defaultdict(set)
        for partition, key, value in keyed:
            self.assertEqual(json.loads(value).get("correlation_id", ""), (key or b"").decode())
            if key:
                places[key].add(partition)
            for planted in PLANTED:
                self.assertNotIn(planted, value)
        self.assertTrue(all(len(one) == 1 for one in places.values()), "a task lies in several partitions")
        leaks = {json.loads(value)["correlation_id"] for _, _, value in keyed if b'"findings"' in value}
        self.assertEqual({json.loads(value)["scope"] for _, _, value in
                          read_all(self.broker.bootstrap, "collector.halts") if value},
                         {f"task:{task}" for task in leaks})
        wait_for(lambda: self.receiver.pages, 30, "nobody was paged")
        self.assertNotIn("SourceNotKeyed", {page["data"]["alert"] for page in self.receiver.pages})

        # The spans that go out say the same when they come in again.
        path = setup.path / "spans.hex"
        path.write_text("".join(f"{(key or b'').decode()}\t{value.hex()}\n" for _, key, value in
                                read_all(self.broker.bootstrap, "collector.spans")))
        done = run("replay", str(path), "--config", str(setup.config), "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        summary = [line for line in json_lines(done.stdout) if line["kind"] == "summary"][0]
        self.assertEqual(summary["dead_letters"], 0)
        for field in ("model_calls", "tokens_in", "tokens_cached", "tokens_out", "tool_calls", "tool_errors"):
            self.assertEqual(summary[field], shown[field], field)
        self.assertEqual(summary["tasks"], shown["root_traces"])

    def test_a_backlog_without_keys_pages_as_replay_says_though_its_rekeyer_is_killed(self):
        lines = shift_to_now(incidents(3, days=3))
        setup = self.unkeyed_setup("backlog", ["telemetry-unkeyed"], 1, kafka="publish_spans: true\ninstance: one\n")
        expected = Expected(lines, setup.path, setup.config, ROOT / "rules")
        produce(self.broker.bootstrap, "telemetry-unkeyed", lines, keyed=False)
        setup.start("work", "--stages", "ingest,evaluate,deliver")
        for number in range(6):
            victim = setup.start(f"rekey-{number}", "--stages", "rekey", ready=False)
            victim.wait_until_listening()
            time.sleep(1.2 + 0.3 * (number % 3))
            victim.kill()
        setup.start("rekey", "--stages", "rekey")
        self.wait_for_pages(expected, setup)
        time.sleep(2)
        self.assert_as_replay_says(expected, "backlog")
        written = read_all(self.broker.bootstrap, "backlog.keyed")
        spans = read_all(self.broker.bootstrap, "backlog.spans")
        print(f"\n{len(lines)} records of {sum(map(len, lines)) / len(lines):.0f} bytes; {len(written)} written, of "
              f"{sum(len(value) for _, _, value in written) / len(written):.0f} bytes; {len(spans)} spans of "
              f"{sum(len(value) for _, _, value in spans) / len(spans):.0f} bytes", flush=True)
        self.assertGreater(len(written), len(lines), "no kill came between a write and its commit")

    def test_tasks_over_many_partitions_meet_and_a_bad_record_is_a_dead_letter(self):
        setup = self.unkeyed_setup("many", ["telemetry-many"], 4)
        now = int(time.time() * 1000)
        producer = make_producer(self.broker.bootstrap)
        randomness = random.Random(7)
        for number in range(400):
            task = f"t-{number % 50}"
            value = json.dumps({"type": "step", "time": now - 60_000 + number * 100, "correlation_id": task, "agent": "a",
                                "tokens_in": 1})
            producer.produce("telemetry-many", value=value, key=str(randomness.random()), timestamp=now - 60_000 + number * 100)
        producer.produce("telemetry-many", value=b"{", timestamp=now)
        producer.flush(30)
        process = setup.start("one")
        wait_for(lambda: len(self.events("many")) >= 400, 60, "not all came through")
        time.sleep(1)
        self.assertEqual(len(self.events("many")), 400)
        letters = [json.loads(value) for _, _, value in read_all(self.broker.bootstrap, "many.dead-letters")]
        self.assertEqual([(one["topic"], one["reason"]) for one in letters], [("telemetry-many", "not_json")])
        metrics = process.call("GET", "/metrics")[1].decode()
        self.assertIn("tocsin_rekey_records_total 401", metrics)
        self.assertIn('tocsin_rekey_dead_letters_total{reason="not_json"} 1', metrics)
        self.assertIn("\ntocsin_open_tasks 50\n", metrics)

    def test_under_a_steady_stream_silent_partitions_hold_nothing_up(self):
        setup = self.unkeyed_setup("steady", ["telemetry-steady"], 4)
        process = setup.start("one")
        producer = make_producer(self.broker.bootstrap)
        until, number = time.monotonic() + 30, 0
        while time.monotonic() < until:
            for _ in range(20):  # one task, so that three partitions of the source stay silent
                number += 1
                producer.produce("telemetry-steady", value=json.dumps({
                    "type": "step", "time": int(time.time() * 1000), "correlation_id": "t", "agent": "a", "tokens_in": 1}))
            producer.poll(0)
            time.sleep(0.05)
        metrics = process.call("GET", "/metrics")[1].decode()
        delay = re.search(r"^tocsin_evaluate_delay_seconds (\S+)", metrics, re.M)
        print(f"\n{number} records, evaluated until {delay and delay.group(1)} s ago", flush=True)
        self.assertTrue(delay, metrics[-2000:])
        self.assertLess(float(delay.group(1)), 25)
        producer.flush(30)


if __name__ == "__main__":
    unittest.main()
