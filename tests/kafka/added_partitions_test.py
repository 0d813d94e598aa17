"""Partitions that are added to a source while it is read: nothing stops, nothing false is raised, nothing is lost."""
import tempfile
import time
import unittest

from confluent_kafka.admin import AdminClient, NewPartitions

from broker import Broker
from kafka_support import Setup, create_topic, produce, wait_for
from service_test import now_ms, utc
from support import Receiver

RULES = """
groups:
- name: g
  rules:
  - {alert: Over, mode: task, when: elapsed > 20s, expire: 1h}
  - {alert: Calls, from: tool.call, group_by: [env, agent], value: count(), window: 5m, when: value >= 40}
"""


def event(kind, task, ago_ms=0):
    return (f'{task}\t{{"type":"{kind}","time":"{utc(now_ms() - ago_ms)}","correlation_id":"{task}","env":"live",'
            f'"agent":"a"}}')


class AddedPartitions(unittest.TestCase):
    def test_F23_tasks_across_the_change_raise_nothing_and_a_restart_reads_all(self):
        with Broker() as broker, tempfile.NamedTemporaryFile("w", suffix=".yaml") as rules:
            rules.write(RULES)
            rules.flush()
            receiver = Receiver()
            self.addCleanup(receiver.close)
            # Two sources: the added partitions of the first must not take the numbers of the second.
            for source in ("first", "second"):
                create_topic(broker.bootstrap, source, 2)
            setup = Setup(broker.bootstrap, ["first", "second"], receiver, extra=f"rules: [{rules.name}]")
            self.addCleanup(setup.close)
            setup.create_topics()
            process = setup.start("before")
            tasks = [f"t{i}" for i in range(40)]
            produce(broker.bootstrap, "first", [event("task.started", task) for task in tasks])
            produce(broker.bootstrap, "second", [event("task.finished", "other")])
            time.sleep(3)

            def grow(topic, count):
                admin = AdminClient({"bootstrap.servers": broker.bootstrap})
                for future in admin.create_partitions([NewPartitions(topic, count)]).values():
                    future.result(30)

            def pages(alert):
                return [page["data"]["state"] for page in receiver.pages if page["data"]["alert"] == alert]

            def said():
                return setup.logs().decode(errors="replace")[-6000:]

            grow("first", 5)
            # About half of the ends are in other partitions than their starts.
            produce(broker.bootstrap, "first", [event("task.finished", task) for task in tasks])
            wait_for(lambda: pages("SourcePartitionsAdded") == ["firing"], 60, said)
            self.assertIn("first has 3 partitions more", receiver.pages[0]["data"]["annotations"]["summary"])
            time.sleep(40)  # every deadline and the grid time behind it
            self.assertEqual(pages("Over"), [], said())
            self.assertIsNone(process.process.poll())

            # Fewer partitions of tasks than sources do not stop a restart; what has no partner waits.
            process.stop()
            process = setup.start("between")
            self.assertIn("first/2 was added", process.log())
            process.stop()
            grow("tocsin.tasks", 8)
            process = setup.start("after")
            wait_for(lambda: pages("SourcePartitionsAdded") == ["firing", "resolved"], 60, said)
            self.assertIn("first/4 was added", process.log())
            # A condition that only holds where the calls of all partitions are counted.
            produce(broker.bootstrap, "first", [event("tool.call", task) for task in tasks])
            wait_for(lambda: pages("Calls") == ["firing"], 90, said)
            # A task that begins now is watched, once producers have had their time: not before.
            self.assertEqual(pages("Over"), [])
            process.kill()
            process = setup.start("later")
            time.sleep(20)
            # On a busy machine it may take so long that Tocsin pages about itself.
            # The page of the moment of the kill may come twice, under one id.
            alerts = {page["data"]["page_id"]: page["data"]["alert"] for page in receiver.pages}
            self.assertEqual([alert for alert in alerts.values() if alert != "SourcePartitionsStalled"],
                             ["SourcePartitionsAdded", "SourcePartitionsAdded", "Calls"])
            self.assertNotIn("restart it", said())


if __name__ == "__main__":
    unittest.main()
