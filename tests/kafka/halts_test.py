"""Halts and silences by way of Kafka, without a running service: the commands with --kafka, and an agent that obeys."""
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from broker import PASSWORD, USER, Broker, free_ports

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOCSIN = os.environ.get("TOCSIN", str(ROOT / "build/release/tocsin"))


class Agent:
    """deploy/obey.py, and what it says."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([sys.executable, str(ROOT / "deploy/obey.py"), *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def forget(self):
        while not self.lines.empty():
            self.lines.get()

    def wait_for(self, wanted, seconds=20):
        """Waits until it says this, after what was waited for before."""
        said = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                said.append(self.lines.get(timeout=0.1))
            except queue.Empty:
                continue
            if said[-1].startswith(wanted):
                return
        raise AssertionError(f"never said {wanted!r}, but {set(said)}")

    def says_nothing(self, unwanted, seconds):
        self.forget()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                line = self.lines.get(timeout=0.1)
            except queue.Empty:
                continue
            assert not line.startswith(unwanted), line

    def stop(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()


class HaltsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = cls.enterClassContext(Broker())
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        admin = AdminClient({"bootstrap.servers": cls.broker.bootstrap})
        made = admin.create_topics([NewTopic("tocsin.halts", 1, 1, config={"cleanup.policy": "compact"}),
                                    NewTopic("tocsin.silences", 2, 1, config={"cleanup.policy": "compact"}),
                                    NewTopic("tocsin.halt-acks", 3, 1)])
        for future in made.values():
            future.result(30)
        cls.config = cls.configure("enforce", cls.broker.bootstrap)

    @classmethod
    def configure(cls, mode, brokers, prefix="tocsin."):
        path = cls.folder / f"{mode}-{prefix}{brokers.rpartition(':')[2]}.yaml"
        path.write_text(f"halts: {{mode: {mode}}}\n"
                        f"kafka: {{brokers: '{brokers}', sources: [telemetry], topic_prefix: '{prefix}'}}\n")
        return path

    def tocsin(self, *arguments, config=None, status=0):
        done = subprocess.run([TOCSIN, *arguments, "--kafka", "--config", str(config or self.config)],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def acknowledgements(self, halt_id):
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "x", "enable.auto.commit": False,
                             "auto.offset.reset": "earliest"})
        consumer.assign([TopicPartition("tocsin.halt-acks", p, 0) for p in range(3)])
        until, found = time.monotonic() + 20, []
        while time.monotonic() < until and not found:
            message = consumer.poll(0.5)
            if message and not message.error() and message.key().decode() == halt_id:
                found.append(json.loads(message.value()))
        consumer.close()
        return found

    def agent(self, *arguments):
        agent = Agent("--kafka", self.broker.bootstrap, *arguments)
        self.addCleanup(agent.stop)
        return agent

    def test_a_drill_stops_the_agent_and_a_release_lets_it_go_on(self):
        agent = self.agent("--task", "t-1", "--agent", "support")
        agent.wait_for("working")
        drill = json.loads(self.tocsin("halts", "drill", "task:t-1", "--by", "ann", "-o", "json"))
        agent.wait_for("halted")
        agent.says_nothing("working", 1)
        ack, = self.acknowledgements(drill["halt_id"])
        self.assertEqual((ack["kind"], ack["halt_id"], ack["scope"], ack["by"]),
                         ("halt_ack", drill["halt_id"], "task:t-1", "obey.py"))
        self.assertIn("task:t-1 is HALTED", self.tocsin("halts", "show", "task:t-1"))
        self.assertIn("a drill, by ann", self.tocsin("halts", "list"))

        late = self.agent("--task", "t-1")
        late.wait_for("halted")
        late.stop()
        self.assertIn("1 halts released",
                      self.tocsin("halts", "release", "task:t-1", "--by", "ann", "--reason", "seen"))
        agent.wait_for("working")
        self.assertIn("task:t-1 is not halted", self.tocsin("halts", "show", "task:t-1"))
        self.assertIn("nothing to release",
                      self.tocsin("halts", "release", "task:t-1", "--by", "b", "--reason", "c", status=2))

    def test_a_halt_of_another_scope_and_a_dry_run_stop_nobody(self):
        agent = self.agent("--task", "t-2", "--agent", "billing")
        agent.wait_for("working")
        dry = self.configure("dry_run", self.broker.bootstrap)
        self.tocsin("halts", "drill", "task:t-3", "--by", "ann")
        self.assertIn("drill dry_run", self.tocsin("halts", "drill", "task:t-2", "--by", "ann", config=dry))
        agent.says_nothing("halted", 2)
        self.tocsin("halts", "drill", "agent:billing", "--by", "ann")
        agent.wait_for("halted")

    def test_silences_are_added_listed_and_expired(self):
        added = json.loads(self.tocsin("silences", "add", "agent=support", 'alertname=~"Cost.*"', "--for", "2h", "--by",
                                       "ann", "--reason", "an outage", "-o", "json"))
        self.assertEqual(added["state"], "active")
        self.assertIn(added["silence_id"], self.tocsin("silences", "list"))
        self.tocsin("silences", "expire", added["silence_id"], "--by", "bob")
        silence, = json.loads(self.tocsin("silences", "list", "-o", "json"))["silences"]
        self.assertEqual((silence["state"], silence["expired_by"]), ("ended", "bob"))
        self.assertIn("regular expression", self.tocsin("silences", "add", "agent=~(", "--for", "1h", "--by", "a",
                                                        "--reason", "b", status=2))

    def test_a_cluster_that_is_away_or_lacks_the_topic_is_said_so_soon(self):
        began = time.monotonic()
        away = self.configure("enforce", f"127.0.0.1:{free_ports(1)[0]}")
        self.assertIn("can't be reached", self.tocsin("halts", "list", config=away, status=2))
        self.assertLess(time.monotonic() - began, 12)
        other = self.configure("enforce", self.broker.bootstrap, prefix="other.")
        self.assertIn("no topic other.halts", self.tocsin("halts", "list", config=other, status=2))


class BrokerAway(unittest.TestCase):
    def test_an_agent_that_fails_closed_stops_while_it_hears_nothing_and_one_that_fails_open_works_on(self):
        with Broker() as broker:
            admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
            for future in admin.create_topics([NewTopic("tocsin.halts", 1, 1)]).values():
                future.result(30)
            closed = Agent("--kafka", broker.bootstrap, "--task", "t", "--fail-closed")
            opened = Agent("--kafka", broker.bootstrap, "--task", "t")
            self.addCleanup(closed.stop)
            self.addCleanup(opened.stop)
            closed.wait_for("working")
            opened.wait_for("working")
            broker.kill()
            closed.wait_for("stopped", 60)
            closed.says_nothing("working", 2)
            opened.forget()
            opened.wait_for("working")
            broker.start()
            closed.wait_for("working", 60)


class Rights(unittest.TestCase):
    def test_an_agent_needs_to_read_halts_and_to_write_acknowledgements_and_no_more(self):
        with Broker(acls="closed") as broker, tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
            topics = [NewTopic("tocsin.halts", 1, 1), NewTopic("tocsin.halt-acks", 1, 1)]
            for future in admin.create_topics(topics).values():
                future.result(30)
            add = f"kafka-acls.sh --bootstrap-server {broker.bootstrap} --add --allow-principal User:{USER}"
            broker.run(f"{add} --operation Read --operation Describe --topic tocsin.halts")
            broker.run(f"{add} --operation Write --operation Describe --topic tocsin.halt-acks")
            sasl = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": USER}
            (folder / "agent.properties").write_text(
                "\n".join(f"{name}={value}" for name, value in {**sasl, "sasl.password": PASSWORD}.items()))
            (folder / "password").write_text(PASSWORD)
            for name, brokers, more in (
                    ("ours", broker.bootstrap, ""),
                    ("agents", broker.sasl_bootstrap,
                     f"  properties: {json.dumps(sasl)}\n"
                     "  secret_properties: {sasl.password: {value_file: password}}\n")):
                (folder / f"{name}.yaml").write_text(
                    f"halts: {{mode: enforce}}\nkafka:\n  brokers: '{brokers}'\n  sources: [telemetry]\n{more}")

            def drill(config):
                return subprocess.run([TOCSIN, "halts", "drill", "task:t", "--by", "ann", "--kafka", "--config",
                                       str(folder / config)], capture_output=True, text=True, timeout=60)

            agent = Agent("--kafka", broker.sasl_bootstrap, "--task", "t", "--fail-closed", "--kafka-properties",
                          str(folder / "agent.properties"))
            self.addCleanup(agent.stop)
            agent.wait_for("working")
            refused = drill("agents.yaml")
            self.assertEqual(refused.returncode, 2)
            self.assertIn("right to write", refused.stderr)
            self.assertNotIn(PASSWORD, refused.stderr)
            agent.says_nothing(("halted", "cannot"), 2)
            drilled = drill("ours.yaml")
            self.assertEqual(drilled.returncode, 0, drilled.stderr)
            agent.wait_for("halted")
            agent.says_nothing(("working", "cannot"), 3)


if __name__ == "__main__":
    unittest.main()
