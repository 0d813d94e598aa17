"""The service on a real Kafka against `replay`: several processes give the same pages, and no more."""
import http.server
import json
import os
import pathlib
import re
import sys
import threading
import time
import unittest

from kafka_support import BrokerTest, Expected, make_producer, produce, read_all, shift_to_now, wait_for
from support import ROOT, generated

RULES = f"rules: {json.dumps([str(ROOT / 'rules')])}"
OUR_TOPICS = ["blocks", "findings", "halts", "halt-acks", "outbox", "events", "dead-letters", "investigations",
              "spec-gaps", "eval-candidates", "tasks", "states", "page-status", "silences", "control"]
AIRLINE = pathlib.Path(os.environ.get("TOCSIN_DATA", ROOT.parent / "shared/data/airline/events.jsonl"))


def incidents(seed, days=2):
    """Two days give the pages that three give, sooner; three last longer where a process is killed on its way."""
    lines, _, path = generated(seed, os.environ.get("TMPDIR", "/tmp"), days)
    path.unlink()
    return lines


def planted_secret(lines):
    """The two halves of the credential that the generator plants."""
    for line in lines:
        found = re.search(r"(AKIA[A-Z0-9]{16}).{1,60}?([A-Za-z0-9/+]{40})", line)
        if found:
            return [half.encode() for half in found.groups()]
    raise AssertionError("the generator planted no credential")


def now_ms():
    return int(time.time() * 1000)


def utc(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms / 1000)) + f".{ms % 1000:03d}Z"


class KafkaTest(BrokerTest):
    def setup_for(self, name, partitions=4, extra="", **options):
        return self.setup_with(name, partitions, extra=RULES + "\n" + extra, **options)

    def load(self, setup, lines):
        lines = shift_to_now(lines)
        expected = Expected(lines, setup.path, setup.config, ROOT / "rules")
        produce(self.broker.bootstrap, setup.sources[0], lines)
        return expected

    def wait_for_pages(self, expected, setup, timeout=240):
        wait_for(lambda: set(self.receiver.page_ids()) >= expected.pages, timeout,
                 lambda: f"missing {[a for a in expected.alerts if a['page_id'] not in self.receiver.page_ids()]}\n"
                 + setup.logs().decode(errors="replace")[-6000:])

    def halts(self, prefix):
        return {json.loads(value)["halt_id"] for _, _, value in read_all(self.broker.bootstrap, f"{prefix}.halts")
                if value}

    def assert_as_replay_says(self, expected, prefix):
        """The same page ids and halt ids. A page may come twice, under one id, where a process dies or loses its
        partitions while it is on the wire."""
        self.assertEqual(set(self.receiver.page_ids()), expected.pages)
        twice = len(self.receiver.page_ids()) - len(expected.pages)
        if twice:
            print(f"\n{twice} pages came twice under the same id", file=sys.stderr)
        self.assertFalse(self.receiver.bad_signatures)
        self.assertEqual(self.halts(prefix), expected.halts)


class AgainstReplay(KafkaTest):
    """Four partitions; events with their own stamps, loaded before the start."""

    def test_two_processes_page_as_replay_says_halt_first_and_let_no_secret_out(self):
        lines = incidents(1)
        setup = self.setup_for("two")
        expected = self.load(setup, lines)
        self.assertGreaterEqual(len(expected.pages), 7)
        readable = []  # whether the halt stood on its topic when its page came

        def look(page):
            if page["data"]["alert"] == "SecretLeak" and page["data"]["state"] == "firing":
                readable.append(page["data"]["halt"]["halt_id"] in self.halts("two"))

        self.receiver.on_page = look
        begun = time.monotonic()
        processes = [setup.start("one"), setup.start("two")]
        self.wait_for_pages(expected, setup)
        print(f"\n{len(lines)} events over two days, {len(expected.pages)} pages, in "
              f"{time.monotonic() - begun:.1f} s", file=sys.stderr)
        time.sleep(2)
        self.assert_as_replay_says(expected, "two")
        self.assertEqual(readable, [True])

        kept = [setup.logs(), *self.receiver.bodies]
        for process in processes:
            for path in ("/metrics", "/v1/status", "/v1/alerts", "/v1/halts", "/"):
                kept.append(process.call("GET", path)[1])
        for topic in OUR_TOPICS:
            for _, key, value in read_all(self.broker.bootstrap, f"two.{topic}", committed=False):
                kept += [key or b"", value or b""]
        everything = b"\n".join(kept)
        self.assertGreater(len(everything), 1_000_000)
        for half in planted_secret(lines):
            self.assertNotIn(half, everything)

    def test_F01_one_process_killed_ten_times_on_its_way_loses_and_invents_nothing(self):
        setup = self.setup_for("killed", kafka="instance: one\n")
        expected = self.load(setup, incidents(2, days=3))
        kills_before_the_end = 0
        for i in range(10):
            victim = setup.start(f"victim-{i}", ready=False)
            victim.wait_until_listening()
            time.sleep(1.2 + 0.3 * (i % 4))
            kills_before_the_end += set(self.receiver.page_ids()) < expected.pages
            victim.kill()
        self.assertGreaterEqual(kills_before_the_end, 3, "the kills came too late to mean anything")
        setup.start("last")
        self.wait_for_pages(expected, setup)
        time.sleep(2)
        self.assert_as_replay_says(expected, "killed")

    def test_the_recorded_runs_of_an_airlines_agent_page_nobody(self):
        if not AIRLINE.exists():
            self.skipTest("the recorded runs are not here")
        lines = AIRLINE.read_text().splitlines()
        setup = self.setup_for("airline")
        expected = self.load(setup, lines)
        self.assertEqual(expected.pages, set())
        processes = [setup.start("one"), setup.start("two")]

        def of_all(metric):
            texts = [process.call("GET", "/metrics")[1].decode() for process in processes]
            return sum(float(re.search("^" + re.escape(metric) + r" (\S+)", text, re.M).group(1)) for text in texts)

        # More than there are where a partition went from one process to the other on the way.
        wait_for(lambda: of_all("tocsin_records_total") >= len(lines) and
                 of_all('tocsin_queue_records{topic="source"}') == 0, 60, "not everything was read")
        blocks = {partition for partition, _, _ in read_all(self.broker.bootstrap, "airline.blocks")}
        self.assertEqual(len(blocks), 4)
        time.sleep(2)
        self.assertEqual(self.receiver.pages, [])
        self.assertEqual(self.halts("airline"), set())


class Live(KafkaTest):
    """What happens now, and how soon."""

    def test_a_secret_pages_within_a_moment_and_a_windowed_condition_within_fifteen_seconds(self):
        setup = self.setup_for("live", extra="heartbeat: {url: 'http://127.0.0.1:9/x', every: 10s, "
                                             "allow_cidrs: ['127.0.0.0/8']}")
        ping = http.server.HTTPServer(("127.0.0.1", 0), Ping)
        ping.seen = 0
        threading.Thread(target=ping.serve_forever, daemon=True).start()
        self.addCleanup(ping.server_close)
        self.addCleanup(ping.shutdown)
        setup.config.write_text(setup.config.read_text().replace(":9/x", f":{ping.server_port}/x"))
        setup.create_topics()
        setup.start("one")
        setup.start("two")
        source = setup.sources[0]
        secret = "AKIA" + "ODZDOCIS2JHTLGMX"
        event = (f'leak\t{{"type":"tool.call","time":"{utc(now_ms())}","correlation_id":"leak","env":"live",'
                 f'"agent":"a","tool":"t","content":{{"result":"key {secret}"}}}}')
        producer = make_producer(self.broker.bootstrap)
        warm = event.replace("leak", "none").replace(secret, "")
        produce(self.broker.bootstrap, source, [warm], producer=producer)
        time.sleep(1)
        sent = time.monotonic()
        produce(self.broker.bootstrap, source, [event], producer=producer)
        wait_for(lambda: self.receiver.pages, 30, lambda: setup.logs().decode(errors="replace")[-5000:])
        print(f"\nsecret produced -> page received: {(time.monotonic() - sent) * 1000:.0f} ms", file=sys.stderr)

        # Twelve refusals in three tasks: the condition is true with the tenth, and must hold for three minutes. Events
        # before now make it so already; the last of them is the one from which time counts.
        lines = []
        for i in range(60):
            at = now_ms() - 300_000 + i * 5_000
            lines.append(f'r{i % 4}\t{{"type":"tool.call","time":"{utc(at)}","correlation_id":"r{i % 4}","env":"live",'
                         f'"agent":"b","tool":"t","authz":"refused"}}')
        sent = time.monotonic()
        produce(self.broker.bootstrap, source, lines)
        # The log's time was now already: all of them count at once, and the condition holds from the next grid time.
        wait_for(lambda: len(self.receiver.pages) >= 2, 240, lambda: setup.logs().decode(errors="replace")[-5000:])
        waited = time.monotonic() - sent - 180
        print(f"windowed condition true for its three minutes -> page received: {waited:.1f} s", file=sys.stderr)
        wait_for(lambda: ping.seen >= 3, 60, "no heartbeat went through all stages")

    def test_a_source_without_keys_is_paged_and_makes_no_false_overrun(self):
        setup = self.setup_for("unkeyed")
        setup.start("one")
        lines = []
        for i in range(120):
            begin = now_ms() - 3_600_000
            lines.append(f'x\t{{"type":"task.started","time":"{utc(begin + i)}","correlation_id":"u{i}","env":"live",'
                         f'"agent":"a","budget":{{"wall_clock_s":60}}}}')
        produce(self.broker.bootstrap, setup.sources[0], lines, keyed=False)
        wait_for(lambda: self.receiver.pages, 60, lambda: setup.logs().decode(errors="replace")[-5000:])
        time.sleep(15)
        self.assertEqual({page["data"]["alert"] for page in self.receiver.pages}, {"SourceNotKeyed"})
        self.assertIn(setup.sources[0], self.receiver.pages[0]["data"]["labels"]["topic"])

    def test_a_silence_holds_a_page_back_and_its_end_lets_it_go(self):
        setup = self.setup_for("silenced")
        process = setup.start("one")
        answer = process.call("POST", "/v1/silences", {"matchers": ["alertname=SecretLeak"], "for": "1h", "by": "ann",
                                                       "reason": "a test"})
        self.assertIn(answer[0], (200, 201, 202), answer)
        silence = json.loads(answer[1])
        time.sleep(1)
        secret = "AKIA" + "ODZDOCIS2JHTLGMX"
        event = (f'leak\t{{"type":"tool.call","time":"{utc(now_ms())}","correlation_id":"leak","env":"live",'
                 f'"agent":"a","tool":"t","content":{{"result":"key {secret}"}}}}')
        produce(self.broker.bootstrap, setup.sources[0], [event])
        wait_for(lambda: json.loads(process.call("GET", "/v1/alerts")[1])["firing"], 30, "it does not fire")
        time.sleep(3)
        self.assertEqual(self.receiver.pages, [])
        # A restart forgets neither the silence nor the page behind it.
        process.kill()
        process = setup.start("again")
        time.sleep(12)  # more than a grid time
        self.assertEqual(self.receiver.pages, [])
        process.call("POST", "/v1/silences/expire", {"id": silence["silence_id"], "by": "ann"})
        wait_for(lambda: self.receiver.pages, 40, lambda: setup.logs().decode(errors="replace")[-5000:])
        self.assertEqual([page["data"]["alert"] for page in self.receiver.pages], ["SecretLeak"])

    def test_a_level_that_was_accepted_is_usual_after_a_restart_too(self):
        setup = self.setup_with("accepted", 4)
        rules = setup.path / "rules.yaml"
        rules.write_text("groups: [{name: g, rules: [{alert: Cost, from: step, value: sum(cost), window: 5m, "
                         "min_samples: 3, baseline: {range: 1h, min_samples: 120}, when: value > 2 * baseline, "
                         "keep_firing_for: 10m, "
                         "actions: [page]}]}]")
        setup.config.write_text(setup.config.read_text() + f"\nrules: ['{rules}']\n")
        producer = make_producer(self.broker.bootstrap)

        def spend(stamp, dollars):
            event = {"type": "step", "correlation_id": f"t{stamp}", "env": "live", "agent": "a", "time": utc(stamp),
                     "cost_usd": dollars}
            produce(self.broker.bootstrap, setup.sources[0], [f"t{stamp}\t" + json.dumps(event, separators=(",", ":"))], producer=producer)

        def pages():
            # Whoever is killed before it noted that a page was taken sends it again, under its id.
            return [page["data"] for page in dict(zip(self.receiver.page_ids(), self.receiver.pages)).values()]

        def states():
            return [page["state"] for page in pages()]

        def said():
            return setup.logs().decode(errors="replace")[-5000:]

        begin = now_ms() - 120 * 60_000
        for i in range(360):
            spend(begin + i * 20_000, 0.01 if i < 300 else 0.04)
        process = setup.start("one")
        wait_for(lambda: states() == ["firing"], 60, said)
        order = {"alert": "Cost", "labels": {"env": "live", "agent": "a"}, "by": "ann", "reason": "a new model"}
        wait_for(lambda: json.loads(process.call("GET", "/v1/alerts")[1])["firing"], 30, said)
        status, answer = process.call("POST", "/v1/baselines/accept", order)
        self.assertEqual(status, 200, answer)
        wait_for(lambda: states() == ["firing", "resolved"], 60, said)
        self.assertEqual(pages()[1]["reason"], "accepted by ann: a new model")
        self.assertIn("was accepted by ann: a new model", said())
        process.kill()
        process = setup.start("again")
        for _ in range(6):
            spend(now_ms(), 0.04)
            time.sleep(2.5)
        self.assertEqual(states(), ["firing", "resolved"])
        self.assertEqual(process.call("POST", "/v1/baselines/accept", order)[0], 404, "it does not fire")
        spend(now_ms(), 5)
        wait_for(lambda: len(states()) == 3, 60, said)
        page = pages()[2]
        self.assertEqual((page["state"], page["episode"]), ("firing", 2))
        self.assertGreater(page["baseline"], 0.3, "the accepted level judges")

    def test_an_unacknowledged_halt_is_paged_by_the_fallback_of_a_dead_receiver(self):
        receivers = ("- {name: dead, url: 'http://127.0.0.1:9/', secret_file: secret, allow_cidrs: ['127.0.0.0/8'], "
                     "timeout: 1s, fallback: backup, fallback_after: 10s}\n"
                     f"- {{name: backup, url: '{self.receiver.url}', secret_file: secret, "
                     "allow_cidrs: ['127.0.0.0/8']}\n")
        setup = self.setup_for("unheard", halts="enforce", receivers=receivers)
        process = setup.start("one")
        secret = "AKIA" + "ODZDOCIS2JHTLGMX"
        event = (f'leak\t{{"type":"tool.call","time":"{utc(now_ms())}","correlation_id":"leak","env":"live",'
                 f'"agent":"a","tool":"t","content":{{"result":"key {secret}"}}}}')
        produce(self.broker.bootstrap, setup.sources[0], [event])
        wait_for(lambda: len(self.receiver.pages) >= 2, 90, lambda: setup.logs().decode(errors="replace")[-5000:])
        self.assertEqual([page["data"]["alert"] for page in self.receiver.pages], ["SecretLeak", "HaltNotAcknowledged"])
        self.assertEqual(self.receiver.pages[0]["data"]["halt"]["state"], "HALTED")
        self.assertEqual(process.call("POST", "/v1/halt-acks", {
            "halt_id": self.receiver.pages[0]["data"]["halt"]["halt_id"], "scope": "task:leak", "by": "a"})[0], 202)
        wait_for(lambda: len(self.receiver.pages) >= 3, 60, lambda: setup.logs().decode(errors="replace")[-5000:])
        self.assertEqual((self.receiver.pages[2]["data"]["alert"], self.receiver.pages[2]["data"]["state"]),
                         ("HaltNotAcknowledged", "resolved"))
        wait_for(lambda: '"scope":"task:leak"' in process.call("GET", "/v1/halts/task:leak")[1].decode(), 10, "no halt")


class Ping(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Brokers(KafkaTest):
    """A broker that goes away."""

    def test_waits_for_a_broker_at_the_start_and_goes_on_after_one_was_killed(self):
        setup = self.setup_for("away")
        expected = self.load(setup, incidents(3))
        self.broker.kill()
        process = setup.start("early", ready=False)
        wait_for(lambda: "waiting for it" in process.log(), 60, process.log)
        time.sleep(8)
        self.assertIsNone(process.process.poll())
        self.assertEqual(process.log().count("waiting for it"), 1, process.log())
        self.broker.start()
        process.wait_until_ready()
        time.sleep(4)
        self.broker.kill()
        wait_for(lambda: process.call("GET", "/readyz")[0] == 503, 30, "ready without Kafka")
        self.broker.start()
        self.wait_for_pages(expected, setup)
        wait_for(lambda: process.call("GET", "/readyz")[0] == 200, 60, "not ready again")
        time.sleep(2)
        self.assert_as_replay_says(expected, "away")


class ThreeBrokers(KafkaTest):
    nodes = 3

    def test_F13_one_of_three_killed_for_good_stops_nothing(self):
        setup = self.setup_for("three")
        expected = self.load(setup, incidents(4))
        setup.start("one")
        setup.start("two")
        time.sleep(3)
        self.broker.kill(2)
        self.wait_for_pages(expected, setup)
        time.sleep(2)
        self.assert_as_replay_says(expected, "three")


if __name__ == "__main__":
    unittest.main()
