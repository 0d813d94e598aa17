"""Faults between a process and its broker, made by a proxy: nothing comes through, one direction is cut, everything is
late, and a transaction's end is held back while its process waits, is frozen, or dies."""

import signal
import time
import unittest

from fault_support import LONG, FaultTest
from proxy import END_TXN, Proxy


class ProxiedTest(FaultTest):
    broker_options = {**FaultTest.broker_options, "proxied": True}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxies = [Proxy(node.proxy, node.door) for node in cls.broker.nodes]
        cls.proxy = cls.proxies[0]

    def setUp(self):
        super().setUp()
        for proxy in self.proxies:
            self.addCleanup(proxy.heal)

    def loaded(self, name, kafka="instance: one\n", seconds=8):
        setup, expected, feed = self.load(name, seconds=seconds, kafka=kafka, bootstrap=self.broker.proxied_bootstrap)
        process = setup.start("one")
        feed.start()
        self.wait_for(lambda: self.receiver.pages, 60, "no page", setup)
        return setup, expected, process

    def assert_goes_on(self, setup, expected, name):
        self.wait_for_pages(expected, setup)
        self.assert_as_replay_says(expected, setup, name)


class Network(ProxiedTest):
    def test_F15_answers_that_do_not_arrive_change_no_page(self):
        setup, expected, _ = self.loaded("f15")
        self.proxy.swallow(requests=False)
        time.sleep(9)
        self.proxy.heal()
        self.assert_goes_on(setup, expected, "f15")

    def test_F17_slow_and_uneven_lines_change_no_page(self):
        setup, expected, _ = self.loaded("f17")
        self.proxy.delay_s = (0.1, 0.3)
        time.sleep(10)
        self.proxy.heal()
        self.assert_goes_on(setup, expected, "f17")

    def test_F18_a_broker_that_takes_connections_and_never_answers_is_waited_for(self):
        setup, expected, process = self.loaded("f18")
        self.proxy.swallow()
        self.proxy.drop_connections()
        self.wait_for(lambda: process.call("GET", "/readyz")[0] == 503, 30, "ready without Kafka", setup)
        time.sleep(4)
        self.proxy.heal()
        self.wait_for(lambda: process.call("GET", "/readyz")[0] == 200, 90, "not ready again", setup)
        self.assert_goes_on(setup, expected, "f18")

    def test_F19_a_commit_that_arrives_20_seconds_late_counts_once_or_never(self):
        setup, expected, process = self.loaded("f19")
        self.proxy.hold(END_TXN)
        self.assertTrue(self.proxy.held.wait(30))
        time.sleep(20)
        self.assertIn("begins anew", process.log())  # it did not wait any longer for what it can't know
        self.proxy.heal()
        self.assert_goes_on(setup, expected, "f19")

    def test_F06_frozen_before_its_commit_it_commits_nothing_that_another_one_has_done(self):
        setup, expected, process = self.loaded("f06", kafka="")
        setup.start("two")
        self.proxy.hold(END_TXN)
        self.assertTrue(self.proxy.held.wait(30))
        process.process.send_signal(signal.SIGSTOP)
        self.proxy.heal()  # what was on its way arrives: the process itself knows nothing of it
        self.wait_for_pages(expected, setup)
        process.process.send_signal(signal.SIGCONT)
        self.wait_for(lambda: process.call("GET", "/readyz")[0] == 200, 60, "not ready again", setup)
        self.assert_as_replay_says(expected, setup, "f06")

    def test_F02_F20_killed_between_its_records_and_their_commit_it_does_them_once_more_and_they_count_once(self):
        # Without a static name nobody ends the dead one's transaction but its time-out: who restores waits for it.
        setup, expected, process = self.loaded("f02", kafka="", seconds=4)
        self.proxy.hold(END_TXN)
        self.assertTrue(self.proxy.held.wait(30))
        process.kill()
        self.proxy.drop_connections()  # and what is held never arrives
        self.proxy.heal()
        setup.start("two", ready=False)
        self.assert_goes_on(setup, expected, "f02")


@LONG
class Swizzle(ProxiedTest):
    nodes = 3

    def test_F16_links_cut_one_by_one_and_healed_in_another_order(self):
        setup, expected, _ = self.loaded("f16", seconds=40)
        for proxy in self.proxies:
            proxy.swallow()
            time.sleep(4)
        for proxy in (self.proxies[1], self.proxies[2], self.proxies[0]):
            proxy.heal()
            time.sleep(4)
        self.assert_goes_on(setup, expected, "f16")


if __name__ == "__main__":
    unittest.main()
