"""A record that kills the process which reads it, again and again: the real program and broker, real crashes."""
import json
import os
import signal
import time
import unittest

from kafka_support import produce, read_all, wait_for
from service_test import KafkaTest, now_ms, utc

POISON = "2JHTLGMXODZDOCIS"


def leak(task, secret, ago_ms):
    return (f'{task}\t{{"type":"tool.call","time":"{utc(now_ms() - ago_ms)}","correlation_id":"{task}","env":"live",'
            f'"agent":"a","tool":"t","content":{{"result":"key AKIA{secret}"}}}}')


class PoisonRecord(KafkaTest):
    def setup_for(self, name, **options):
        setup = super().setup_for(name, partitions=1, **options)
        state = setup.path / "state"
        state.mkdir()
        with open(setup.config, "a", encoding="utf-8") as config:
            config.write(f"state_directory: {state}\n")
        environment = {"LD_PRELOAD": os.environ["TOCSIN_POISON"], "TOCSIN_TEST_POISON": POISON}
        for name, value in environment.items():
            os.environ[name] = value
            self.addCleanup(os.environ.pop, name)
        # Two of them, so close that the first is not committed when the second one kills.
        lines = [leak("before", "ODZDOCIS2JHTLGMX", 4000), leak("bad-1", POISON, 3000), leak("bad-2", POISON, 2000),
                 leak("after", "OCISODZD2JHTLGMX", 1000)]
        produce(self.broker.bootstrap, setup.sources[0], lines)
        return setup

    def pages(self):
        return sorted((page["data"]["alert"], page["data"]["labels"].get("record", "").split("/")[-1])
                      for page in self.receiver.pages)

    def assert_passed_over(self, setup, name):
        expected = [("PoisonRecord", "0@1"), ("PoisonRecord", "0@2"), ("SecretLeak", ""), ("SecretLeak", "")]
        wait_for(lambda: self.pages() == expected, 90,
                 lambda: f"{self.pages()}\n" + setup.logs().decode(errors="replace")[-5000:])
        letters = [json.loads(value) for _, _, value in read_all(self.broker.bootstrap, f"{name}.dead-letters")]
        self.assertEqual([(letter["offset"], letter["reason"]) for letter in letters], [(1, "gave_up"), (2, "gave_up")])
        self.assertNotIn(POISON.encode(), setup.logs())

    def test_F10_a_record_that_kills_three_processes_is_passed_over(self):
        setup = self.setup_for("poison")
        for death in range(6):
            process = setup.start(f"death-{death}", ready=False)
            wait_for(lambda: process.process.poll() is not None, 60, "it survived:\n" + process.log()[-3000:])
            self.assertEqual(process.process.returncode, -signal.SIGSEGV, process.log()[-3000:])
            process.log_file.close()
            setup.processes.remove(process)
        survivor = setup.start("survivor")
        self.assert_passed_over(setup, "poison")
        # What was committed stays so: neither tried nor said again.
        time.sleep(2)
        survivor.kill()
        setup.start("later")
        produce(self.broker.bootstrap, setup.sources[0], [leak("later", "DOCISODZ2JHTLGMX", 0)])
        wait_for(lambda: len(self.receiver.pages) == 5, 60, lambda: setup.logs().decode(errors="replace")[-5000:])
        self.assertEqual(self.pages().count(("PoisonRecord", "0@1")), 1)

    def test_F11_one_that_makes_a_worker_throw_is_passed_over_and_ends_no_process(self):
        os.environ["TOCSIN_TEST_THROWS"] = "1"
        self.addCleanup(os.environ.pop, "TOCSIN_TEST_THROWS")
        setup = self.setup_for("throws")
        process = setup.start("one")
        self.assert_passed_over(setup, "throws")
        self.assertIsNone(process.process.poll())
        self.assertEqual(process.log().count("an ingest worker stopped at an error of type std::runtime_error"), 6)


if __name__ == "__main__":
    unittest.main()
