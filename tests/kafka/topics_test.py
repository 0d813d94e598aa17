"""`tocsin topics` against a real broker: what is missing or wrong is named, and the commands it prints mend it."""

import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

from broker import PASSWORD, USER, Broker

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOCSIN = os.environ.get("TOCSIN", str(ROOT / "build/release/tocsin"))
OURS = ("blocks", "findings", "halts", "halt-acks", "outbox", "events", "dead-letters", "investigations", "spec-gaps",
        "eval-candidates", "tasks", "states", "page-status", "silences", "control")


class Installation:
    """A configuration of its own, with its own prefix, and `tocsin topics` run with it."""

    def __init__(self, test, brokers, prefix, user=None, password=PASSWORD, more=""):
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.prefix = prefix
        self.path = pathlib.Path(folder.name) / "tocsin.yaml"
        rights = ""
        if user:
            (self.path.parent / "password").write_text(password + "\n")
            rights = ("  properties: {security.protocol: sasl_plaintext, sasl.mechanisms: PLAIN, "
                      f"sasl.username: {user}}}\n  secret_properties: {{sasl.password: {{value_file: password}}}}\n")
        self.path.write_text(f"kafka:\n  brokers: '{brokers}'\n  sources: [{prefix}spans, {prefix}logs]\n"
                             f"  topic_prefix: {prefix}\n{rights}{more}")

    def topics(self, *options):
        return subprocess.run([TOCSIN, "topics", "--config", str(self.path), *options], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=100, check=False)


def problems(done):
    """What is said of each topic, and the commands that mend it, in order."""
    found = {}
    for topic, text, mend in re.findall(r"\n\n(\S+): ([^\n]*)(?:\n    ([^\n]*))?", "\n" + done.stdout):
        if topic != "warning":
            found.setdefault(topic, []).append((text, mend))
    return found


class OneNode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker(acls="closed").__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.broker.__exit__()

    def mend(self, found):
        for each in found.values():
            for _, command in each:
                self.broker.run(command)

    def admin(self, command):
        return self.broker.run(command.replace(".sh ", ".sh --bootstrap-server BROKER ", 1))

    def test_what_is_missing_is_named_and_created(self):
        it = Installation(self, self.broker.bootstrap, "new.")
        done = it.topics()
        self.assertEqual(done.returncode, 1, done.stderr)
        found = problems(done)
        self.assertEqual(set(found), {it.prefix + name for name in (*OURS, "spans", "logs")})
        self.assertTrue(found["new.spans"][0][1].startswith("kafka-topics.sh "), found)
        self.assertEqual(found["new.tasks"][0][1], f"tocsin topics --config {it.path} --create")

        done = it.topics("--create")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(set(problems(done)), {"new.spans", "new.logs", "new.tasks", "new.events"})
        done = it.topics("--create", "--source-partitions", "3")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(problems(it.topics()), {})
        self.assertIn("0 problems", it.topics("--create").stderr)
        told = self.admin("kafka-topics.sh --describe --topic new.tasks")
        self.assertIn("PartitionCount: 7", told)
        self.assertIn("cleanup.policy=compact", told)
        # What was tried to find out about rights has left nothing behind.
        offsets = self.admin("kafka-get-offsets.sh --topic new.*")
        self.assertEqual(len(offsets.splitlines()), 2 * 3 + 6 + 8 + 3 * 4 + 2 * 4 + 7, offsets)
        self.assertEqual([line for line in offsets.splitlines() if not line.endswith(":0")], [])

    def test_what_is_wrong_is_named_at_once_and_the_commands_mend_it(self):
        it = Installation(self, self.broker.bootstrap, "wrong.")
        for topic, more in (("blocks", "--partitions 2 --config retention.ms=3600000"), ("findings", "--partitions 3"),
                            ("tasks", "--partitions 2 --config cleanup.policy=compact"),
                            ("states", "--partitions 3 --config cleanup.policy=delete"),
                            ("outbox", "--partitions 5 --config max.message.bytes=1000")):
            self.admin(f"kafka-topics.sh --create --topic wrong.{topic} --replication-factor 1 {more}")
        done = it.topics("--create", "--source-partitions", "2")
        self.assertEqual(done.returncode, 1)
        found = {topic.removeprefix("wrong."): " ".join(text for text, _ in said)
                 for topic, said in problems(done).items()}
        self.assertEqual(set(found), {"blocks", "tasks", "states", "outbox"}, done.stdout)
        self.assertIn("1h", found["blocks"])
        self.assertIn("has 2 partitions", found["blocks"])
        self.assertIn("the sources have 4", found["tasks"])
        self.assertIn("cleanup.policy=delete", found["states"])
        self.assertIn("1000 bytes", found["outbox"])
        self.mend(problems(done))
        done = it.topics()
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_F26_rights_that_are_missing_are_named_and_the_printed_ones_are_enough(self):
        made = Installation(self, self.broker.bootstrap, "kept.").topics("--create", "--source-partitions", "2")
        self.assertEqual(made.returncode, 0, made.stdout)
        it = Installation(self, self.broker.sasl_bootstrap, "kept.", user=USER)
        done = it.topics()
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(set(problems(done)), {"kept." + name for name in (*OURS, "spans", "logs")})
        self.assertIn("right to describe", done.stdout)

        printed = it.topics("--print", "acls")
        self.assertEqual(printed.returncode, 0)
        for line in printed.stdout.splitlines():
            if not line.startswith("#"):
                self.broker.run(line)
        done = it.topics()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("can't be read", done.stdout)

        for operation, topic in (("Write", "kept.halts"), ("Read", "kept.outbox"), ("Read", "kept.spans"),
                                 ("DescribeConfigs", "kept.events")):
            self.admin(f"kafka-acls.sh --add --deny-principal User:{USER} --operation {operation} --topic {topic}")
        done = it.topics()
        self.assertEqual(done.returncode, 1, done.stdout)
        found = {topic: [text for text, _ in said] for topic, said in problems(done).items()}
        self.assertEqual(found, {"kept.halts": ["the right to write to it is missing"],
                                 "kept.outbox": ["the right to read it is missing"],
                                 "kept.spans": ["the right to read it is missing"]})
        self.assertIn("warning: kept.events: its settings can't be read", done.stdout)
        self.assertNotIn(PASSWORD, done.stdout + done.stderr)

    def test_who_does_not_answer_is_said_in_one_line(self):
        nobody = Installation(self, "127.0.0.1:1", "away.")
        wrong = Installation(self, self.broker.sasl_bootstrap, "away.", user=USER, password="not-the-word-9431")
        for it, reason in ((nobody, "Connection refused"), (wrong, "uthentication")):
            begin = time.monotonic()
            done = it.topics()
            self.assertLess(time.monotonic() - begin, 10)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stdout, "")
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn("no broker answers at 127.0.0.1:", done.stderr)
            self.assertIn(reason, done.stderr)
            self.assertNotIn("not-the-word-9431", done.stderr)

    def test_a_broker_that_is_frozen_is_one_that_does_not_answer(self):
        it = Installation(self, self.broker.bootstrap, "frozen.")
        self.broker.freeze()
        try:
            begin = time.monotonic()
            done = it.topics()
            self.assertLess(time.monotonic() - begin, 10)
        finally:
            self.broker.thaw()
        self.assertEqual(done.returncode, 2, done.stdout)


class ThreeNodes(unittest.TestCase):
    def test_topics_are_kept_three_times_and_one_that_is_not_is_a_warning(self):
        with Broker(nodes=3) as broker:
            broker.run("kafka-topics.sh --bootstrap-server BROKER --create --topic three.spans --partitions 2 "
                       "--replication-factor 1 --config min.insync.replicas=1")
            it = Installation(self, broker.bootstrap, "three.")
            done = it.topics("--create", "--source-partitions", "2")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertRegex(done.stdout, r"\nthree.blocks +4 +3 ")
            self.assertIn("warning: three.spans: has one replica", done.stdout)
            self.assertNotIn("warning: three.blocks: has one replica", done.stdout)


class Printed(unittest.TestCase):
    def test_a_plan_needs_no_cluster(self):
        it = Installation(self, "127.0.0.1:1", "eu.", more="  evaluate_partitions: 6\n")
        self.assertEqual(it.topics("--print", "kafka-topics").returncode, 2)
        done = it.topics("--print", "kafka-topics", "--source-partitions", "9")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual([re.search(r"--topic (\S+)", line)[1] for line in lines], ["eu." + name for name in OURS])
        self.assertIn("--topic eu.tasks --partitions 10 --replication-factor 3 ", done.stdout)
        self.assertIn("--topic eu.states --partitions 6 --replication-factor 3 ", done.stdout)
        done = it.topics("--print", "strimzi", "--source-partitions", "9", "--cluster", "main")
        self.assertEqual(done.stdout.count("kind: KafkaTopic\n"), len(OURS))

    def test_used_wrongly(self):
        it = Installation(self, "127.0.0.1:1", "eu.")
        self.assertEqual(it.topics("--print", "acls", "--create").returncode, 2)
        self.assertEqual(it.topics("--print", "poetry").returncode, 2)
        it.path.write_text("halts: {mode: dry_run}\n")
        done = it.topics()
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no 'kafka' in it", done.stderr)
        it.path.write_text("kafka: {brokers: b, sources: [spans, tocsin.events]}\n")
        done = it.topics()
        self.assertEqual(done.returncode, 2)
        self.assertIn("'tocsin.events' is a topic of Tocsin's own", done.stderr)

    def test_the_example_configuration_shows_keys_that_there_are(self):
        text = (ROOT / "deploy/tocsin.yaml").read_text()
        begin = text.index("# kafka:\n")
        lines = [line.removeprefix("# ") for line in text[begin:].splitlines() if line.startswith("#")]
        keys = "\n".join(re.sub(r"^  # .*", "", line) for line in lines if re.match(r"\s*(#|[a-z_]+:)", line))
        it = Installation(self, "127.0.0.1:1", "eu.")
        # The heartbeat's last stage is delivery.
        keys += "\nreceivers: [{name: r, url: 'https://hooks.example.com/', secret_env: TOCSIN_KAFKA_PASSWORD}]"
        it.path.write_text(keys + "\n")
        done = subprocess.run([TOCSIN, "check", str(it.path)], capture_output=True, text=True, check=False,
                              env=dict(os.environ, TOCSIN_KAFKA_PASSWORD="x"), timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, ""), keys)
        for key in ("group_prefix:", "evaluate_partitions:", "secret_properties:", "every:"):
            self.assertIn(key, keys)


if __name__ == "__main__":
    unittest.main()
