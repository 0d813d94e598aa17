"""What the tests of the Kafka service share: events on topics, the real program as several processes, what `replay`
says of the same events, and everything that stands on our topics. Needs Debian's python3-confluent-kafka."""
import datetime
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from broker import Broker  # noqa: E402
from support import SIGNING_SECRET, TOCSIN, Receiver, json_lines, run  # noqa: E402

TIME = re.compile(r'"(time|started_at)":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z"')


def parse_time(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)


def shift_to_now(lines, before_now_s=2):
    """The same events, the last of them a moment ago."""
    last = max(parse_time(match.group(2)) for line in lines for match in [TIME.search(line)])
    delta = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=before_now_s) - last
    delta = datetime.timedelta(seconds=int(delta.total_seconds()))

    def moved(match):
        at = parse_time(match.group(2)) + delta
        return f'"{match.group(1)}":"{at.strftime("%Y-%m-%dT%H:%M:%S")}{match.group(3) or ""}Z"'

    return [TIME.sub(moved, line) for line in lines]


def stamp_of(line):
    match = TIME.search(line)
    return int(parse_time(match.group(2)).timestamp() * 1000) + int(float(match.group(3) or 0) * 1000)


def create_topic(bootstrap, name, partitions, replicas=1):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(name, partitions, replicas)]).values():
        future.result(30)


def make_producer(bootstrap, more=None):
    return Producer({**(more or {}), "bootstrap.servers": bootstrap, "linger.ms": 1, "enable.idempotence": True, "log_level": 0,
                     "queue.buffering.max.messages": 1000000})


def produce(bootstrap, topic, lines, keyed=True, producer=None):
    """One record a line, `key TAB value`, with the event's own time as its stamp."""
    producer = make_producer(bootstrap) if producer is None else producer  # an idle one is false
    for line in lines:
        key, value = line.split("\t", 1)
        producer.produce(topic, value=value, key=key if keyed else None, timestamp=stamp_of(line))
        producer.poll(0)
    assert producer.flush(120) == 0, "not everything was acknowledged"


def read_all(bootstrap, topic, committed=True):
    """Every record of a topic, as (partition, key, value), in order for each partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "tests-read-all", "enable.auto.commit": False,
                         "enable.partition.eof": True, "auto.offset.reset": "earliest",
                         "isolation.level": "read_committed" if committed else "read_uncommitted"})
    count = len(consumer.list_topics(topic, 20).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(count)])
    records, ended = [], set()
    deadline = time.monotonic() + 60
    while len(ended) < count:
        assert time.monotonic() < deadline, f"{topic} can't be read to its end"
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            ended.add(message.partition())
        else:
            records.append((message.partition(), message.key(), message.value()))
    consumer.close()
    return records


class Setup:
    """A configuration, the topics for it, and what several processes of it share."""

    def __init__(self, bootstrap, sources, receiver=None, halts="dry_run", extra="", kafka="", receivers=None):
        self.bootstrap, self.sources = bootstrap, sources
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        (self.path / "secret").write_text(SIGNING_SECRET + "\n")
        config = (f"halts: {{mode: {halts}}}\nlog_level: debug\nhttp: {{port: 0}}\n{extra}\n"
                  f"kafka:\n  brokers: {bootstrap}\n  sources: {json.dumps(sources)}\n  session_timeout: 6s\n")
        config += "".join(f"  {line}\n" for line in kafka.splitlines())
        if receivers is None and receiver:
            receivers = (f"- {{name: test, url: '{receiver.url}', secret_file: secret, "
                         "allow_cidrs: ['127.0.0.0/8']}\n")
        if receivers:
            config += "receivers:\n" + receivers
        self.config = self.path / "tocsin.yaml"
        self.config.write_text(config)
        self.processes = []

    def create_topics(self):
        # Brokers learn of a topic that was made just now one after the other.
        for _ in range(10):
            done = run("topics", "--config", str(self.config), "--create")
            if done.returncode == 0:
                return
            time.sleep(0.5)
        raise AssertionError(done.stdout + done.stderr)

    def start(self, name, *arguments, ready=True, **odd):
        process = Process(self, name, arguments, **odd)
        self.processes.append(process)
        if ready:
            process.wait_until_ready()
        return process

    def logs(self):
        return b"\n".join(path.read_bytes() for path in self.path.glob("*.log"))

    def close_processes(self):
        for process in self.processes:
            process.stop()

    def close(self):
        self.close_processes()
        self.folder.cleanup()


class Process:
    """One `tocsin run` of a setup; `prefix` is a command that runs it, such as prlimit."""

    def __init__(self, setup, name, arguments=(), prefix=(), cwd=None, environment=None, output=None):
        self.log_path = setup.path / f"{name}-{len(setup.processes)}.log"
        self.log_file = open(output or self.log_path, "wb")
        self.process = subprocess.Popen([*prefix, TOCSIN, "run", "--config", str(setup.config), *arguments], cwd=cwd,
                                        env={**os.environ, **(environment or {})}, stdout=self.log_file,
                                        stderr=self.log_file)
        self.url = None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_until_listening(self, timeout=60):
        deadline = time.monotonic() + timeout
        while self.url is None:
            found = re.search(r"listening on (http://[0-9.:]+):", self.log())
            if found:
                self.url = found.group(1)
            elif self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the service did not start:\n" + self.log()[-4000:])
            else:
                time.sleep(0.02)

    def wait_until_ready(self, timeout=90):
        self.wait_until_listening()
        deadline = time.monotonic() + timeout
        while self.call("GET", "/readyz")[0] != 200:
            assert time.monotonic() < deadline, "not ready:\n" + self.log()[-4000:]
            time.sleep(0.05)

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def kill(self):
        self.process.kill()
        self.process.wait(30)
        self.log_file.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
                raise
            assert self.process.returncode == 0, f"status {self.process.returncode}:\n{self.log()[-3000:]}"
        self.log_file.close()


class BrokerTest(unittest.TestCase):
    """Tests that share a broker; each has a receiver of its own."""

    nodes, broker_options = 1, {}

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker(nodes=cls.nodes, **cls.broker_options)
        cls.broker.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.broker.__exit__()

    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)

    def setup_with(self, name, partitions, bootstrap=None, kafka="", **options):
        """Topics of the name's own, its source `telemetry-NAME` among them, and a configuration for them."""
        source = f"telemetry-{name}"
        create_topic(self.broker.bootstrap, source, partitions, min(3, self.nodes))
        setup = Setup(bootstrap or self.broker.bootstrap, [source], self.receiver,
                      kafka=f"topic_prefix: {name}.\n{kafka}", **options)
        self.addCleanup(setup.close)
        setup.create_topics()
        return setup


class Expected:
    """What `replay` says of the same events: every page id, and every halt."""

    def __init__(self, lines, folder, config, *rules):
        path = pathlib.Path(folder) / "events.txt"
        path.write_text("\n".join(lines) + "\n")
        chosen = [argument for rule in rules for argument in ("--rules", str(rule))]
        done = run("replay", str(path), "--config", str(config), *chosen, "-o", "json")
        assert done.returncode == 0, done.stderr
        self.pages, self.halts = set(), set()
        self.alerts = []
        for line in json_lines(done.stdout):
            if line["kind"] == "alert" and line["page_id"]:
                self.pages.add(line["page_id"])
                self.alerts.append(line)
            if line["kind"] == "halt":
                self.halts.add(line["halt_id"])


def wait_for(condition, timeout, what):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what if isinstance(what, str) else what()
        time.sleep(0.05)


def in_background(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
