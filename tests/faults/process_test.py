"""Faults of processes: they die, freeze, are restarted, meet a second one of their name, and are told to stop."""

import pathlib
import signal
import socket
import subprocess
import time
import unittest

from fault_support import STOPS_WITHIN_S, FaultTest

from confluent_kafka import Producer


class Processes(FaultTest):
    def test_F03_killed_after_the_receiver_took_a_page_pages_again_under_its_id(self):
        setup = self.setup_for("f03", kafka="instance: one\n")
        process = setup.start("one")
        self.receiver.delay_s = 30
        self.leak(setup)
        self.wait_for(lambda: self.receiver.pages, 60, "no page", setup)
        process.kill()
        self.receiver.delay_s = 0
        setup.start("again")
        self.wait_for(lambda: self.alerts().count("SecretLeak") >= 2, 60, "not paged again", setup)
        time.sleep(3)
        self.assertEqual(len(self.ids_of("SecretLeak")), 1, self.receiver.pages)

    def test_F05_a_process_that_was_frozen_beyond_its_session_shows_nothing_and_takes_part_again(self):
        setup, expected, feed = self.load("f05")
        one, two = setup.start("one"), setup.start("two")
        feed.start()
        time.sleep(3)
        one.process.send_signal(signal.SIGSTOP)
        self.wait_for_pages(expected, setup)  # the other one has taken over
        received = len(self.receiver.pages)
        one.process.send_signal(signal.SIGCONT)
        self.wait_for(lambda: one.call("GET", "/readyz")[0] == 200, 60, "not ready again", setup)
        self.assert_as_replay_says(expected, setup, "f05")
        # At most those whose attempt it was making when it froze.
        self.assertLessEqual(len(self.receiver.pages) - received, 8)
        self.assertIsNone(two.process.poll())

    def test_F07_a_rolling_restart_with_static_names_moves_nobody_elses_partitions(self):
        setup, expected, feed = self.load("f07", seconds=15)
        configs = {}
        for name in ("p0", "p1"):
            configs[name] = setup.path / f"{name}.yaml"
            text = setup.config.read_text().replace("session_timeout: 6s", "session_timeout: 30s")
            configs[name].write_text(text.replace("  sources:", f"  instance: {name}\n  sources:"))

        def start(name):
            setup.config = configs[name]
            return setup.start(name)

        processes = {name: start(name) for name in configs}
        feed.start()
        for name, other in (("p0", "p1"), ("p1", "p0")):
            time.sleep(1)
            before = self.figure(processes[other], "tocsin_kafka_rebalances_total")
            processes[name].stop()
            processes[name] = start(name)
            self.wait_for(lambda: self.receiver.pages, 60, "no page", setup)
            self.assertEqual(self.figure(processes[other], "tocsin_kafka_rebalances_total"), before)
        self.wait_for_pages(expected, setup)
        self.assert_as_replay_says(expected, setup, "f07")

    def test_F08_of_two_processes_with_one_name_the_older_ends_and_says_why(self):
        setup = self.setup_for("f08", kafka="instance: same\n")
        older = setup.start("older")
        younger = setup.start("younger", ready=False)
        self.wait_for(lambda: older.process.poll() is not None, 60, "the older one goes on", setup)
        self.assertEqual(older.process.returncode, 1)
        self.assertIn("another process has started with this one's name, 'kafka.instance: same'", older.log())
        setup.processes.remove(older)  # its status is no fault here
        younger.wait_until_ready()
        self.leak(setup)
        self.wait_for(lambda: self.ids_of("SecretLeak"), 60, "no page", setup)
        time.sleep(5)
        # By its id: a page may be delivered again, and where the machine is slow the halt's missing acknowledgement
        # is a page of its own.
        self.assertEqual(len(self.ids_of("SecretLeak")), 1, self.receiver.pages)
        self.assertIsNone(younger.process.poll())

    def test_F09_who_takes_its_transactional_id_stops_a_process_for_a_moment_only(self):
        setup = self.setup_for("f09", kafka="instance: one\nthreads: 1\n")
        process = setup.start("one")
        for name in ("ingest-one-ingest-0", "evaluate-one-evaluate-0", "deliver-test-one-deliver-test"):
            thief = Producer({"bootstrap.servers": self.broker.bootstrap, "transactional.id": f"f09.{name}",
                              "log_level": 0})
            thief.init_transactions(30)
        self.leak(setup)
        self.wait_for(lambda: self.receiver.pages, 90, "no page", setup)
        self.assertIn("begins anew", process.log())
        self.leak(setup, "second")
        self.wait_for(lambda: len(self.ids_of("SecretLeak")) == 2, 60, "no second page", setup)
        self.assertIsNone(process.process.poll())

    def stop_in_time(self, process):
        begun = time.monotonic()
        process.process.terminate()
        status = process.process.wait(60)
        taken = time.monotonic() - begun
        print(f"\nstopped in {taken:.1f} s")
        self.assertEqual(status, 0, process.log()[-3000:])
        self.assertLess(taken, STOPS_WITHIN_S)

    def test_F12_a_stop_takes_less_than_ten_seconds_while_the_pager_hangs_and_the_page_comes_later(self):
        setup = self.setup_for("f12", kafka="instance: one\n")
        self.receiver.stop_listening()
        hanging = socket.create_server(("127.0.0.1", int(self.receiver.url.split(":")[2].split("/")[0])))
        process = setup.start("one")
        self.leak(setup)
        hanging.accept()  # an attempt is under way, and gets no answer
        self.stop_in_time(process)
        hanging.close()
        self.receiver.heal()
        setup.start("again")
        self.wait_for(lambda: self.receiver.pages, 60, "no page", setup)

    def test_F12_a_stop_takes_less_than_ten_seconds_while_the_broker_does_not_answer(self):
        setup, expected, feed = self.load("f12b", kafka="instance: one\n")
        process = setup.start("one")
        feed.start()
        self.wait_for(lambda: self.receiver.pages, 60, "no page", setup)
        self.broker.freeze()
        try:
            time.sleep(1)
            self.stop_in_time(process)
        finally:
            self.broker.thaw()
        setup.start("again")
        self.wait_for_pages(expected, setup)
        self.assert_as_replay_says(expected, setup, "f12b")


class Resources(FaultTest):
    """What a process is given too little of."""

    def cgroup(self, kind, **limits):
        folder = pathlib.Path("/sys/fs/cgroup") / kind / f"tocsin-{time.time_ns()}"
        try:
            folder.mkdir()
            for name, value in limits.items():
                (folder / name.replace("__", ".")).write_text(str(value))
        except OSError as error:
            self.skipTest(f"no cgroups of version 1 to write to: {error}")

        def remove():
            for _ in range(100):
                try:
                    return folder.rmdir()
                except OSError:
                    time.sleep(0.1)

        self.addCleanup(remove)
        return ["sh", "-c", f'echo $$ > {folder}/cgroup.procs && exec "$@"', "sh"]

    def test_F67_runs_where_nothing_can_be_written(self):
        setup = self.setup_for("f67")
        process = setup.start("one", ready=False, cwd="/proc", environment={"TMPDIR": "/proc/none", "HOME": "/proc"})
        process.wait_until_ready()
        self.leak(setup)
        self.wait_for(lambda: self.receiver.pages, 60, "no page", setup)

    def test_F67_runs_while_its_log_goes_to_a_full_disk(self):
        setup = self.setup_for("f67b", kafka="instance: one\n")
        process = setup.start("one", ready=False, output="/dev/full")
        self.leak(setup)
        self.wait_for(lambda: self.receiver.pages, 90, "no page")
        self.assertIsNone(process.process.poll())

    def test_F68_with_few_file_descriptors_it_works_or_says_so(self):
        setup = self.setup_for("f68", kafka="threads: 1\n")
        process = setup.start("none", ready=False, prefix=["prlimit", "--nofile=64"])
        self.assertEqual(process.process.wait(30), 2)
        setup.processes.remove(process)
        self.assertIn("may open 64 files, which is too few", process.log())
        # What the hard limit allows is taken.
        process = setup.start("one", ready=False, prefix=["prlimit", "--nofile=64:256"])
        process.wait_until_ready()
        self.leak(setup)
        self.wait_for(lambda: self.receiver.pages, 60, "no page", setup)

    def test_F69_with_a_tenth_of_a_core_the_answer_is_the_same(self):
        prefix = self.cgroup("cpu", cpu__cfs_period_us=100_000, cpu__cfs_quota_us=10_000)
        setup, expected, feed = self.load("f69", seconds=3)
        setup.start("one", ready=False, prefix=prefix)
        feed.start()
        # Its start alone takes more than a second of a core, and other tests run beside this one.
        self.wait_for_pages(expected, setup, silent_for=300)
        self.assert_as_replay_says(expected, setup, "f69")
        for process in setup.processes:
            process.kill()  # an orderly stop may take its time there

    def test_F70_without_threads_it_ends_with_a_word_and_does_not_hang(self):
        setup = self.setup_for("f70")
        process = setup.start("one", ready=False, prefix=self.cgroup("pids", pids__max=6))
        try:
            status = process.process.wait(60)
        except subprocess.TimeoutExpired:
            self.fail("it hangs:\n" + process.log())
        setup.processes.remove(process)
        self.assertNotEqual(status, 0)
        self.assertRegex(process.log(), "thread")


if __name__ == "__main__":
    unittest.main()
