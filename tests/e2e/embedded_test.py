"""The embedded service against `replay`: the same events give the same pages, and no secret leaves."""
import json
import re
import tempfile
import time
import unittest

from support import ROOT, Receiver, Service, generated, json_lines, run

RULES = [ROOT / "rules"]


def planted_secrets(lines):
    """Both halves of the key pair that the generated runs plant."""
    text = "\n".join(line for line in lines if "AKIA" in line)
    key_ids = set(re.findall(r"AKIA[A-Z2-7]{16}", text))
    halves = set()
    for half in re.findall(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])", text.replace("\\/", "/")):
        if re.search("[a-z]", half) and re.search("[A-Z]", half) and re.search("[0-9]", half):
            halves.add(half)
    return key_ids, halves


class EmbeddedAgainstReplay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.lines, cls.incidents, cls.path = generated(3, cls.folder.name)
        replay = run("replay", "--rules", str(RULES[0]), "-o", "json", str(cls.path))
        assert replay.returncode == 0, replay.stderr
        cls.replay_text = replay.stdout
        cls.replayed = json_lines(replay.stdout)
        cls.receiver = Receiver()
        cls.service = Service(cls.receiver, rules=RULES)
        cls.halts_at_page = None

        def on_page(page):
            if page["data"]["alert"] == "SecretLeak":
                cls.halts_at_page = cls.service.get("/v1/halts")["halts"]

        cls.receiver.on_page = on_page
        cls.service.post_lines(cls.lines)
        cls.service.settle()

    @classmethod
    def tearDownClass(cls):
        cls.service.stop()
        cls.receiver.close()
        cls.folder.cleanup()

    def test_every_page_of_replay_arrives_and_no_other(self):
        wanted = {line["page_id"] for line in self.replayed if line["kind"] == "alert"}
        self.assertGreaterEqual(len(wanted), 7)
        self.assertEqual(sorted(wanted), sorted(self.receiver.page_ids()))

    def test_the_pages_say_what_replay_says(self):
        replayed = {(line["page_id"], line["alert"], line["time"]) for line in self.replayed if line["kind"] == "alert"}
        for page in self.receiver.pages:
            self.assertIn((page["data"]["page_id"], page["data"]["alert"], page["timestamp"]), replayed)

    def test_every_rule_pages(self):
        alerts = {page["data"]["alert"] for page in self.receiver.pages}
        self.assertEqual(alerts, {"CostSpike", "ErrorRateSpike", "SurfaceRateOutOfBand", "SurfaceRateTooLow",
                                  "AuthorizationRefusalSpike", "SecretLeak", "TaskOverWallClock"})

    def test_pages_are_signed_and_say_what_a_person_needs(self):
        self.assertEqual(self.receiver.bad_signatures, [])
        for page in self.receiver.pages:
            data = page["data"]
            for key in ("summary", "labels", "value", "samples", "since", "condition", "versions", "examples", "halt",
                        "dedup_key", "severity", "reason"):
                self.assertIn(key, data)
            if data["state"] == "firing":
                self.assertTrue(data["examples"], data["alert"])
                if data["window"]:
                    self.assertIn("[yes]", data["evaluated"], data["alert"])
                    self.assertLess(data["first_event"], data["last_event"])
                    self.assertLessEqual(data["last_event"], page["timestamp"])
                self.assertEqual(data["versions"]["spec_version"][:1].isdigit(), True)

    def test_a_resolution_comes_after_its_trigger(self):
        seen = set()
        for page in self.receiver.pages:
            if page["data"]["state"] == "firing":
                seen.add(page["data"]["dedup_key"])
            else:
                self.assertIn(page["data"]["dedup_key"], seen)

    def test_one_halt_and_one_page_for_a_key_that_a_task_repeats(self):
        halts = self.service.get("/v1/halts")["halts"]
        self.assertEqual(len(halts), 1)
        self.assertGreaterEqual(halts[0]["count"], 9)
        self.assertTrue(halts[0]["enforced"])
        leaks = [page for page in self.receiver.pages if page["data"]["alert"] == "SecretLeak"]
        self.assertEqual(len(leaks), 1)
        self.assertEqual(leaks[0]["data"]["halt"]["state"], "HALTED")
        self.assertIn("tocsin halts release", leaks[0]["data"]["command"])
        replayed = [line for line in self.replayed if line["kind"] == "halt"]
        self.assertEqual([line["halt_id"] for line in replayed], [halts[0]["halt_id"]])

    def test_the_halt_is_readable_before_its_page_is_delivered(self):
        self.assertIsNotNone(self.halts_at_page)
        self.assertEqual(len(self.halts_at_page), 1)

    def test_no_byte_of_the_secret_leaves(self):
        key_ids, halves = planted_secrets(self.lines)
        self.assertTrue(key_ids and halves)
        out = self.service.everything() + b"\n".join(self.receiver.bodies) + self.replay_text.encode()
        for secret in key_ids | halves:
            self.assertNotIn(secret.encode(), out)
        self.assertNotIn(b"@example.", out)

    def test_the_metrics_are_well_formed_and_agree(self):
        text = self.service.call("GET", "/metrics")[1].decode()
        summary = self.replayed[-1]
        self.assertIn(f"tocsin_events_total {summary['events']}", text)
        self.assertNotIn("correlation_id=", text)
        tasks = sum(float(value) for value in re.findall(r"^tocsin_agent_tasks_total\{.*\} (\S+)$", text, re.M))
        self.assertGreater(tasks, 0.95 * summary["tasks"])
        import shutil
        import subprocess
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Halts(unittest.TestCase):
    SECRET = "AKIA" + "QX7TZ4NWB2MD5KRY"

    def event(self, number, task="t-1", secret=None):
        return json.dumps({"type": "step", "time": f"2026-03-01T10:00:{number:02d}Z", "correlation_id": task,
                           "agent": "support", "env": "prod", "step_type": "final",
                           "content": {"output": f"the key is {secret or self.SECRET} and that is all"}})

    def start(self, **options):
        self.receiver = Receiver()
        self.service = Service(self.receiver, **options)
        self.addCleanup(self.receiver.close)
        self.addCleanup(self.service.stop)

    def pages(self, state):
        return [page for page in self.receiver.pages if page["data"]["state"] == state]

    def test_a_release_holds_while_the_conversation_goes_on(self):
        self.start()
        self.service.post_lines([self.event(n) for n in range(5)])
        self.service.settle()
        self.assertTrue(self.service.get("/v1/halts/task:t-1")["halted"])
        released = run("halts", "release", "task:t-1", "--by", "kim", "--reason", "rotated", "--url", self.service.url)
        self.assertEqual(released.returncode, 0, released.stderr)
        self.service.settle()
        self.service.post_lines([self.event(n) for n in range(6, 10)])
        self.service.settle()
        self.assertFalse(self.service.get("/v1/halts/task:t-1")["halted"])
        self.assertEqual(len(self.service.get("/v1/halts")["halts"]), 1)
        self.assertEqual(len(self.pages("firing")), 1)
        self.assertEqual([page["data"]["reason"] for page in self.pages("resolved")], ["released by kim"])
        # Another secret in the same task is another matter.
        self.service.post_lines([self.event(11, secret="AKIA" + "ZZ3QWERTY5UPASDF")])
        self.service.settle()
        self.assertTrue(self.service.get("/v1/halts/task:t-1")["halted"])
        self.assertEqual(len(self.pages("firing")), 2)

    def test_a_dry_run_enforces_nothing_and_says_so(self):
        self.start(halts="dry_run")
        self.service.post_lines([self.event(0)])
        self.service.settle()
        halt = self.service.get("/v1/halts")["halts"][0]
        self.assertEqual((halt["state"], halt["enforced"]), ("dry_run", False))
        self.assertFalse(self.service.get("/v1/halts/task:t-1")["halted"])
        self.assertTrue(self.pages("firing")[0]["data"]["summary"].startswith("WOULD HALT"))

    def test_too_many_halts_are_held_and_one_page_says_so(self):
        self.start()
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
        secrets = ["AKIA" + "2Q7TZ4NWB2MD5KR" + letter for letter in alphabet[:8]]
        self.service.post_lines([self.event(n, f"task-{n}", secret) for n, secret in enumerate(secrets)])
        self.service.settle()
        states = [halt["state"] for halt in self.service.get("/v1/halts")["halts"]]
        self.assertEqual((states.count("enforced"), states.count("held")), (5, 3))
        storms = [page for page in self.pages("firing") if page["data"]["alert"] == "HaltStorm"]
        self.assertEqual(len(storms), 1)

    def test_a_drill_ends_by_itself(self):
        self.start()
        self.service.post_lines([self.event(0, secret="nothing")])
        self.service.settle()
        drill = run("halts", "drill", "agent:support", "--by", "kim", "--url", self.service.url)
        self.assertEqual(drill.returncode, 0, drill.stderr)
        self.assertTrue(self.service.get("/v1/halts/agent:support")["halted"])
        later = json.loads(self.event(1, secret="nothing"))
        later["time"] = "2026-03-01T10:11:00Z"
        self.service.post_lines([json.dumps(later)])
        self.service.settle()
        import time
        deadline = time.monotonic() + 10
        while self.service.topic("halts")[-1]["value"] is not None:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.assertFalse(self.service.get("/v1/halts/agent:support")["halted"])

    def test_an_agent_learns_of_a_halt_by_waiting_and_acknowledges(self):
        self.start()
        import threading
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(self.service.get("/v1/topics/halts?from=0&wait_ms=20000")))
        waiting.start()
        self.service.post_lines([self.event(0)])
        waiting.join(timeout=15)
        record = answers[0]["records"][0]
        self.assertEqual(record["value"]["scope"], "task:t-1")
        status, _ = self.service.call("POST", "/v1/halt-acks", {"halt_id": record["value"]["halt_id"],
                                                                "scope": "task:t-1", "by": "test"})
        self.assertEqual(status, 202)
        self.assertEqual(self.service.topic("halt-acks")[0]["value"]["by"], "test")


class Receivers(unittest.TestCase):
    def test_a_receiver_that_fails_at_first_gets_the_same_page_again(self):
        receiver = Receiver()
        receiver.answers = [(503, {"retry-after": "1"}), (500, {}), (302, {"location": "http://127.0.0.1:9/"})]
        service = Service(receiver)
        try:
            event = {"type": "step", "time": "2026-03-01T10:00:00Z", "correlation_id": "t", "agent": "a",
                     "content": {"output": "AKIA" + "QX7TZ4NWB2MD5KRY"}}
            service.post_lines([json.dumps(event)])
            service.settle()
            self.assertEqual(len(receiver.bodies), 4)
            self.assertEqual(len({json.loads(body)["data"]["page_id"] for body in receiver.bodies}), 1)
            self.assertEqual(receiver.bad_signatures, [])
        finally:
            service.stop()
            receiver.close()

    def test_the_service_stops_within_ten_seconds_while_the_receiver_is_down(self):
        receiver = Receiver()
        receiver.answers = [(503, {})] * 1000
        service = Service(receiver)
        try:
            event = {"type": "step", "time": "2026-03-01T10:00:00Z", "correlation_id": "t", "agent": "a",
                     "content": {"output": "AKIA" + "QX7TZ4NWB2MD5KRY"}}
            service.post_lines([json.dumps(event)])
            service.process.terminate()
            self.assertEqual(service.process.wait(timeout=10), 0)
        finally:
            service.stop()
            receiver.close()


class Doors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()

    @classmethod
    def tearDownClass(cls):
        cls.service.stop()

    def test_a_batch_is_taken_whole_or_refused_naming_the_line(self):
        before = self.service.get("/v1/status")["records"]
        good = json.dumps({"type": "step", "time": "2026-03-01T10:00:00Z", "correlation_id": "x"})
        for bad, reason in ((b"{\"type\": \"step\"", "not_json"), (b"{\"type\":\"nonsense\"}", "unknown_type"),
                            (b"{\"type\":\"step\",\"tokens_in\":\"many\",\"correlation_id\":\"x\"}", "wrong_type"),
                            (b"{\"type\":\"step\"}", "no_correlation_id"), (b"\xff\xfe", "not_utf8")):
            status, body = self.service.call("POST", "/v1/events", good.encode() + b"\n" + bad + b"\n")
            answer = json.loads(body)
            self.assertEqual((status, answer["line"]), (400, 2), bad)
            self.assertNotIn("nonsense", body.decode())
        self.service.settle()
        self.assertEqual(self.service.get("/v1/status")["records"], before)

    def test_json_arrays_and_single_objects_are_taken(self):
        one = {"type": "step", "time": "2026-03-01T10:00:00Z", "correlation_id": "x"}
        for body, count in ((json.dumps([one, one]), 2), (json.dumps([one, one], indent=2), 2),
                            (json.dumps(one, indent=2), 1), (json.dumps(one) + "\n" + json.dumps(one), 2),
                            ("k\t" + json.dumps(one), 1)):
            status, answer = self.service.call("POST", "/v1/events", body.encode())
            self.assertEqual((status, json.loads(answer)), (202, {"accepted": count}))

    def test_health_and_console(self):
        for path in ("/healthz", "/readyz", "/-/healthy", "/-/ready"):
            self.assertEqual(self.service.call("GET", path)[0], 200)
        self.assertIn(b"Tocsin", self.service.call("GET", "/")[1])
        self.assertEqual(self.service.call("GET", "/nowhere")[0], 404)
        self.assertEqual(self.service.call("GET", "/v1/topics/source")[0], 404)

    def test_a_body_that_is_too_large_is_refused(self):
        self.assertEqual(self.service.call("POST", "/v1/events", b"x" * (17 << 20))[0], 413)

    def test_the_commands_talk_to_it(self):
        for command in (("status",), ("alerts", "list"), ("halts", "list")):
            done = run(*command, "--url", self.service.url)
            self.assertEqual(done.returncode, 0, done.stderr)
            done = run(*command, "-o", "json", "--url", self.service.url)
            json.loads(done.stdout)
        self.assertEqual(run("status", "--url", "http://127.0.0.1:1").returncode, 2)


class LiveClock(unittest.TestCase):
    def test_slices_close_by_the_wall_clock_and_a_secret_waits_for_none(self):
        import datetime
        receiver = Receiver()
        service = Service(receiver, clock="wall")
        try:
            now = datetime.datetime.now(datetime.timezone.utc).isoformat()
            service.post_lines([json.dumps({"type": "step", "time": now, "correlation_id": "t", "agent": "a",
                                            "content": {"output": "AKIA" + "QX7TZ4NWB2MD5KRY"}})])
            deadline = time.monotonic() + 5
            while not receiver.pages:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            deadline = time.monotonic() + 30
            while service.get("/v1/status")["evaluated"] is None:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.2)
            self.assertEqual(len(receiver.pages), 1)
        finally:
            service.stop()
            receiver.close()

    def test_a_model_without_a_price_is_named_once_in_the_log(self):
        service = Service(clock="wall")
        try:
            call = {"type": "step", "correlation_id": "t", "agent": "a", "model": "no-such\nmodel", "tokens_in": 5}
            service.post_lines([json.dumps(call), json.dumps({**call, "tokens_in": 6})])
            deadline = time.monotonic() + 20
            while "'no-such?model'" not in service.log():
                self.assertLess(time.monotonic(), deadline, service.log())
                time.sleep(0.2)
            time.sleep(6)
            self.assertEqual(service.log().count("no-such"), 1)
        finally:
            service.stop()


if __name__ == "__main__":
    unittest.main()
