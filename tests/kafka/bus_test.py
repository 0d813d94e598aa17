"""Runs the tests of the Kafka bus (suite KafkaBus) against a real broker: before and after a kill -9 of it."""

import os
import subprocess
import sys
import unittest

from broker import Broker

PROGRAM = sys.argv.pop(1)


class BusTest(unittest.TestCase):
    def run_suite(self, broker, prefix):
        environment = dict(os.environ, TOCSIN_TEST_KAFKA=broker.bootstrap, TOCSIN_TEST_KAFKA_PREFIX=prefix)
        done = subprocess.run([PROGRAM, "--gtest_filter=KafkaBus.*"], env=environment, text=True, timeout=200,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("SKIPPED", done.stdout)
        self.assertIn("PASSED", done.stdout)

    def test_on_a_new_broker_and_on_one_that_was_killed(self):
        with Broker(auto_create=True) as broker:
            self.run_suite(broker, "first.")
            broker.kill()
            broker.start()
            self.run_suite(broker, "second.")


if __name__ == "__main__":
    unittest.main()
