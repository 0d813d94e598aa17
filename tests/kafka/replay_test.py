"""`replay` and `inspect` of a topic: the same answer as of a file with the same events, with the right to read alone,
and nothing left behind in the cluster."""
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest
import zlib

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from broker import PASSWORD, USER, Broker, free_ports
from kafka_support import create_topic, make_producer, parse_time
from support import TOCSIN, generated, json_lines, run

TIME = re.compile(r'"time":"([^"Z]+)Z"')
PARTITIONS = 5
MINUTE = 60_000


def stamp_of(line):
    return round(parse_time(TIME.search(line)[1]).timestamp() * 1000)


def utc(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms / 1000)) + f".{ms % 1000:03d}Z"


def partition_of(key):
    return zlib.crc32(key.encode()) % PARTITIONS


def without_place(lines):
    """What is said of a record's place differs: a file has lines, a topic partitions and offsets."""
    kept = []
    for line in lines:
        line = {name: value for name, value in line.items() if name not in ("record", "partition", "offset")}
        if "annotations" in line:
            line["annotations"] = {name: text for name, text in line["annotations"].items() if name != "record"}
        kept.append(line)
    return kept


class Topic:
    """A topic, what was written to it, and the same in the order in which it is to be read."""

    def __init__(self, broker, name, partitions=PARTITIONS):
        self.broker, self.name, self.partitions = broker, name, partitions
        self.records = []  # (stamp, partition, offset, key, value)
        self.ends = [0] * partitions
        create_topic(broker.bootstrap, name, partitions)
        self.producer = make_producer(broker.bootstrap)

    def send(self, key, value, stamp, partition=None):
        partition = partition_of(key) if partition is None else partition
        self.records.append((stamp, partition, self.ends[partition], key, value))
        self.ends[partition] += 1
        while True:
            try:
                self.producer.produce(self.name, value, key, partition, timestamp=stamp)
                break
            except BufferError:
                self.producer.poll(0.1)
        self.producer.poll(0)

    def send_lines(self, lines):
        for line in lines:
            key, value = line.split("\t", 1)
            self.send(key, value, stamp_of(line))
        self.flush()

    def flush(self):
        assert self.producer.flush(120) == 0

    def address(self, bootstrap=None):
        return f"kafka://{bootstrap or self.broker.bootstrap}/{self.name}"

    def file(self, folder, begin=0, end=1 << 62):
        path = pathlib.Path(folder) / f"{self.name}-{begin}-{end}.txt"
        ordered = [record for record in sorted(self.records) if begin <= record[0] < end]
        path.write_text("".join(f"{key}\t{value}\n" for _, _, _, key, value in ordered))
        return str(path)


def step(number, stamp, **more):
    return json.dumps({"type": "step", "correlation_id": f"t-{number}", "env": "prod", "agent": "a",
                       "time": utc(stamp), **more})


def steps_shown(output):
    """The correlation ids of the events that `inspect` shows, in order."""
    return [json.loads(event)["correlation_id"] for event in re.findall(r"^  -> (\{.*\})$", output, re.MULTILINE)]


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker(acls="closed", auto_create=True).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.broker.__exit__()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def replay(self, *arguments):
        done = run("replay", *arguments, "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json_lines(done.stdout)

    def refused(self, *arguments, command="replay"):
        """The sentence by which an input is refused."""
        begun = time.monotonic()
        done = run(command, *arguments)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertLess(time.monotonic() - begun, 20)
        return done.stderr

    def topics_and_groups(self):
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        return set(admin.list_topics(timeout=20).topics), {group.id for group in admin.list_groups(timeout=20)}

    def test_a_topic_gives_what_a_file_of_its_events_gives(self):
        lines, _, path = generated(11, self.folder)
        path.unlink()
        topic = Topic(self.broker, "telemetry")
        topic.send_lines(lines)
        topic.send("broken", "no JSON at all", topic.records[-1][0], 2)
        topic.flush()
        before = self.topics_and_groups()
        expected = self.replay(topic.file(self.folder))
        self.assertGreater(sum(line["kind"] == "alert" for line in expected), 5)
        found = self.replay(topic.address())
        self.assertEqual(without_place(found), without_place(expected))
        self.assertEqual(self.replay(topic.address()), found)
        letter = next(line for line in found if line["kind"] == "dead_letter")
        self.assertEqual((letter["partition"], letter["offset"]), (2, topic.ends[2] - 1))
        # A finding says which record holds it.
        values = {(partition, offset): value for _, partition, offset, _, value in topic.records}
        pointers = [tuple(map(int, re.findall(r"\d+", line["annotations"]["record"]))) for line in found
                    if line["kind"] == "alert" and "record" in line["annotations"]]
        self.assertTrue(pointers)
        self.assertTrue(any("AKIA" in values[pointer] for pointer in pointers), pointers)
        self.assertEqual(self.topics_and_groups(), before)

    def test_from_and_to_cut(self):
        topic = Topic(self.broker, "cut")
        now = int(time.time() * 1000)
        begin = now - 300 * MINUTE
        for i in range(300):  # each minute one, the last of them a minute ago
            topic.send(f"t-{i}", step(i, begin + i * MINUTE), begin + i * MINUTE)
            if i == 104:  # a producer is late, behind what is younger
                topic.send("t-late", step("late", begin + 99 * MINUTE), begin + 99 * MINUTE + 1, partition_of("t-104"))
        topic.flush()

        def shown(*arguments):
            done = run("inspect", topic.address(), "--records", "1000", *arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
            return steps_shown(done.stdout)

        def ids(first, last):
            return [f"t-{i}" for i in range(first, last)]

        self.assertEqual(shown("--from", utc(begin + 100 * MINUTE)), ids(100, 300))
        self.assertEqual(sorted(shown("--to", utc(begin + 100 * MINUTE))), sorted(ids(0, 100) + ["t-late"]))
        self.assertEqual(shown("--from", utc(begin + 100 * MINUTE), "--to", utc(begin + 105 * MINUTE)), ids(100, 105))
        # A minute more or less: the test takes some time itself.
        self.assertIn(len(shown("--from", "-30m")), (28, 29, 30))
        self.assertIn(len(shown("--from=-2h", "--to=-1h")), (59, 60, 61))
        self.assertEqual(shown("--from", "-7d", "--to", "-6d"), [])
        self.assertEqual(self.replay(topic.address(), "--from", "-1m", "--to", utc(now + 60 * MINUTE))[-1]["kind"],
                         "summary")
        self.assertEqual(self.replay(topic.address(), "--from", utc(begin + 10 * MINUTE), "--to",
                                     utc(begin + 200 * MINUTE)),
                         without_place(self.replay(topic.file(self.folder, begin + 10 * MINUTE, begin + 200 * MINUTE))))

    def test_records_come_by_their_times_and_one_wrong_clock_holds_nothing_up(self):
        topic = Topic(self.broker, "clocks", 3)
        begin = int(time.time() * 1000) - 600 * MINUTE
        for i in range(300):
            stamp = begin + i * MINUTE
            if i == 150:  # a day ahead when it was written: in the past by now, were it older
                topic.send("ahead", step("ahead", stamp), stamp + 200 * MINUTE, 0)
                topic.send("future", step("future", stamp), stamp + 100_000 * MINUTE, 1)
            topic.send(f"t-{i}", step(i, stamp), stamp, i % 3)
        topic.flush()
        done = run("inspect", topic.address(), "--records", "1000")
        self.assertEqual(done.returncode, 0, done.stderr)
        order = steps_shown(done.stdout)
        self.assertEqual([one for one in order if one[2:].isdigit()], [f"t-{i}" for i in range(300)])
        self.assertLess(abs(order.index("t-ahead") - 150), 5)
        self.assertLess(abs(order.index("t-future") - 150), 5)
        # Neither closes the slices of hours to come: what follows is counted at its own time.
        self.assertEqual(self.replay(topic.address())[-1]["events"], 302)

    def test_only_what_was_committed_is_read_and_an_open_transaction_is_not_waited_for(self):
        topic = Topic(self.broker, "transactions", 2)
        begin = int(time.time() * 1000) - 10 * MINUTE
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "transactional.id": "t", "log_level": 0})
        producer.init_transactions(30)
        for name, end in (("kept", producer.commit_transaction), ("dropped", producer.abort_transaction), ("open", None)):
            producer.begin_transaction()
            for i in range(10):
                producer.produce(topic.name, step(f"{name}-{i}", begin), partition=i % 2, timestamp=begin + i)
            producer.flush(30)
            if end:
                end(30)
        begun = time.monotonic()
        done = run("inspect", topic.address(), "--records", "100")
        self.assertLess(time.monotonic() - begun, 10)
        self.assertEqual(steps_shown(done.stdout), [f"t-kept-{i}" for i in range(10)])
        producer.abort_transaction(30)

    def test_the_rights_to_describe_and_to_read_are_enough(self):
        topic = Topic(self.broker, "guarded")
        topic.send("t-1", step(1, 1_760_000_000_000), 1_760_000_000_000)
        topic.flush()
        path = pathlib.Path(self.folder)
        (path / "password").write_text(PASSWORD + "\n")
        (path / "tocsin.yaml").write_text(
            "kafka:\n  brokers: '127.0.0.1:1'\n  sources: [elsewhere]\n  properties: {security.protocol: "
            f"sasl_plaintext, sasl.mechanisms: PLAIN, sasl.username: {USER}, group.id: of-the-service}}\n"
            "  secret_properties: {sasl.password: {value_file: password}}\n")
        arguments = [topic.address(self.broker.sasl_bootstrap), "--config", str(path / "tocsin.yaml")]
        for command in ("replay", "inspect"):
            self.assertIn("the right to read topic guarded is missing", self.refused(*arguments, command=command))
        said = self.refused(*arguments)
        self.broker.run(re.search(r"kafka-acls\.sh .*", said)[0])
        deadline = time.monotonic() + 20
        while run("replay", *arguments, "-o", "json").returncode != 0:
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(self.replay(*arguments)[-1]["events"], 1)
        self.assertEqual(self.topics_and_groups()[1], set())
        (path / "password").write_text("of somebody else\n")
        said = self.refused(*arguments)
        self.assertIn("no broker answers at", said)
        self.assertIn("uthentication", said)
        self.assertNotIn("of somebody else", said)

    def test_what_can_not_be_read_is_refused_with_what_to_do(self):
        before = self.topics_and_groups()
        said = self.refused(f"kafka://{self.broker.bootstrap}/nothing-of-the-kind")
        self.assertIn("there is no topic nothing-of-the-kind at " + self.broker.bootstrap, said)
        self.assertEqual(self.topics_and_groups(), before)
        closed = f"127.0.0.1:{free_ports(1)[0]}"
        said = self.refused(f"kafka://{closed}/telemetry")
        self.assertIn(f"no broker answers at {closed}: ", said)
        self.assertIn("onnection refused", said)
        self.assertEqual(said.count("\n"), 1)
        for address, what in (("kafka://127.0.0.1:9092", "names no topic"), ("kafka:///telemetry", "is no HOST:PORT"),
                              ("kafka://127.0.0.1/telemetry", "is no HOST:PORT"),
                              ("kafka://127.0.0.1:9092,/telemetry", "is no HOST:PORT"),
                              ("kafka://127.0.0.1:9092/a/b", "is no name of a topic"),
                              ("kafka://me:hidden@127.0.0.1:9092/a", "do not belong into a topic's address")):
            said = self.refused(address)
            self.assertIn(what, said)
            self.assertNotIn("hidden", said)
        good = f"kafka://{self.broker.bootstrap}/telemetry"
        self.assertIn("'yesterday' is no time", self.refused(good, "--from", "yesterday"))
        self.assertIn("does not lie before --to", self.refused(good, "--from", "-1h", "--to", "-2h"))
        self.assertIn("--from and --to are for topics", self.refused(os.devnull, "--from", "-1h"))

    def test_a_topic_that_is_deleted_while_it_is_read_ends_the_replay(self):
        topic = Topic(self.broker, "deleted", 1)
        begin = int(time.time() * 1000) - 60 * MINUTE
        value = step(1, begin, attributes={"padding": "x" * 30_000})
        for i in range(3_000):  # more than is read ahead
            topic.send("t-1", value, begin + i)
        topic.flush()
        # It waits for us at its output, in the midst of the topic.
        process = subprocess.Popen([TOCSIN, "inspect", topic.address(), "--records", "1000000"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        process.stdout.read(1)
        process.send_signal(signal.SIGSTOP)
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        admin.delete_topics([topic.name])[topic.name].result(30)
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate(timeout=90)
        self.assertEqual(process.returncode, 2, said)
        self.assertEqual(said.decode(), "tocsin inspect: partition 0 of topic deleted is not there any more; "
                         "was the topic deleted?\n")


if __name__ == "__main__":
    unittest.main()
