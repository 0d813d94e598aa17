"""Faults of the broker and of what it keeps: its disk is full, it is away for long, records are gone before they were
read, the source was made anew, a record is as long as a topic takes one."""

import json
import subprocess
import time
import unittest

from confluent_kafka.admin import AdminClient
from fault_support import LONG, FaultTest, leak  # first: it says where the next one is
from kafka_support import create_topic, make_producer, produce, read_all


class Data(FaultTest):
    def page_of(self, alert, setup):
        self.wait_for(lambda: alert in self.alerts(), 60, f"no page {alert}", setup)
        return next(page["data"] for page in self.receiver.pages if page["data"]["alert"] == alert)

    def test_F22_a_source_that_was_made_anew_is_read_from_its_beginning_and_paged(self):
        setup = self.setup_for("f22", kafka="instance: one\n", partitions=1)
        source = setup.sources[0]
        process = setup.start("one")
        produce(self.broker.bootstrap, source, [leak("before")] + [leak("same")] * 20)
        self.wait_for(lambda: len(self.ids_of("SecretLeak")) == 2, 60, "no pages", setup)
        time.sleep(15)  # until its slice is closed, and with it the position
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})
        for future in admin.delete_topics([source]).values():
            future.result(30)
        time.sleep(2)
        create_topic(self.broker.bootstrap, source, 1)
        produce(self.broker.bootstrap, source, [leak("after")])
        page = self.page_of("RecordsGone", setup)
        self.assertEqual(dict(page["labels"])["topic"], source)
        self.wait_for(lambda: self.alerts().count("SecretLeak") == 3, 90, "what came after is not paged", setup)
        self.assertIsNone(process.process.poll())

    def test_F24_records_that_retention_took_before_they_were_read_are_paged_with_their_range(self):
        setup = self.setup_for("f24", kafka="instance: one\n", partitions=1)
        source = setup.sources[0]
        process = setup.start("one")
        produce(self.broker.bootstrap, source, [leak("first")])
        self.wait_for(lambda: self.receiver.pages, 60, "no page", setup)
        time.sleep(15)
        process.stop()
        produce(self.broker.bootstrap, source, [leak(f"lost-{i}") for i in range(50)])
        wanted = setup.path / "gone.json"
        wanted.write_text(json.dumps({"partitions": [{"topic": source, "partition": 0, "offset": 31}], "version": 1}))
        self.broker.run(f"kafka-delete-records.sh --bootstrap-server X --offset-json-file {wanted}")
        setup.start("again")
        page = self.page_of("RecordsGone", setup)
        self.assertIn("partition 0 from offset 1, read on at 31", page["annotations"]["summary"])
        # 51 records: the first, and what is left of the others.
        self.wait_for(lambda: self.alerts().count("SecretLeak") == 1 + 20, 90, "the rest is not paged", setup)
        self.assertEqual(self.alerts().count("RecordsGone"), 1)

    def test_F25_of_an_event_as_long_as_a_topic_takes_one_everything_that_is_written_fits(self):
        setup = self.setup_for("f25", partitions=1)
        process = setup.start("one")
        event = json.loads(leak("long").split("\t", 1)[1])
        event["tool"] = event["agent_version"] = event["session_id"] = "long " * 20_000
        event["content"]["prompt"] = "long " * ((1 << 20) // 5 - 70_000)
        longer = "long\t" + json.dumps(event, separators=(",", ":"))
        self.assertGreater(len(longer), 900_000)
        producer = make_producer(self.broker.bootstrap, {"message.max.bytes": 2_000_000})
        produce(self.broker.bootstrap, setup.sources[0], [longer], producer=producer)
        self.leak(setup, "short")
        self.wait_for(lambda: len(self.ids_of("SecretLeak")) == 2, 90, "not both are paged", setup)

        def copies():
            return [value for _, _, value in read_all(self.broker.bootstrap, "f25.events")]

        self.wait_for(lambda: len(copies()) == 2, 60, "not both have their copies", setup)
        self.assertLess(max(len(value) for value in copies()), 16_384)
        self.assertEqual(read_all(self.broker.bootstrap, "f25.dead-letters"), [])
        self.assertIsNone(process.process.poll())


class Disk(FaultTest):
    """A broker whose data lie on a small file system."""

    def test_F21_a_broker_whose_disk_is_full_is_waited_for_and_nothing_is_lost(self):
        data = self.broker.nodes[0].folder / "data"
        self.broker.kill()
        self.keep_on_small_disk(data)
        self.broker.start()
        setup, expected, feed = self.load("f21", kafka="instance: one\n")
        process = setup.start("one")
        feed.start()
        self.wait_for(lambda: self.receiver.pages, 60, "no page", setup)
        filler = data / "filler"
        try:
            with open(filler, "wb", buffering=0) as out:  # nothing is left to be written when it is closed
                while True:
                    out.write(b"x" * 65536)
        except OSError:
            pass
        # Kafka ends when its only log folder can't be written to.
        self.wait_for(lambda: self.broker.nodes[0].process.poll() is not None, 120, "the broker goes on", setup)
        self.wait_for(lambda: process.call("GET", "/readyz")[0] == 503, 60, "ready without Kafka", setup)
        filler.unlink()
        self.broker.kill()
        self.broker.start()
        self.wait_for_pages(expected, setup)
        self.assert_as_replay_says(expected, setup, "f21")
        self.assertIsNone(process.process.poll())

    def keep_on_small_disk(self, data):
        aside = data.with_name("aside")
        data.rename(aside)
        data.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(data)], capture_output=True,
                              text=True)
        if done.returncode != 0:
            data.rmdir()
            aside.rename(data)
            self.broker.start()
            self.skipTest(f"nothing can be mounted here: {done.stderr}")
        self.addClassCleanup(subprocess.run, ["umount", "-l", str(data)])
        for path in aside.iterdir():
            subprocess.run(["cp", "-a", str(path), str(data)], check=True)


@LONG
class Away(FaultTest):
    def test_F14_a_coordinator_that_is_away_for_half_a_minute_is_waited_for(self):
        setup, expected, feed = self.load("f14", kafka="instance: one\n", seconds=20)
        setup.start("one")
        feed.start()
        self.wait_for(lambda: self.receiver.pages, 60, "no page", setup)
        self.broker.freeze()
        time.sleep(30)
        self.broker.thaw()
        self.wait_for_pages(expected, setup)
        self.assert_as_replay_says(expected, setup, "f14")


if __name__ == "__main__":
    unittest.main()
