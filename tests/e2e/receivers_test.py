"""Receivers that fail, their fallbacks, and PagerDuty: the real program against real servers."""
import http.server
import json
import os
import threading
import time
import unittest

from support import Receiver, Service, run

ROUTING_KEY = "R0UT1NGK3Y0123456789abcdefABCDEF"
os.environ["TOCSIN_TEST_ROUTING_KEY"] = ROUTING_KEY


class Pagerduty:
    """Takes events as PagerDuty does, and answers as told."""

    def __init__(self):
        self.events, self.headers, self.answers = [], [], []
        pagerduty = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                event = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status = pagerduty.answers.pop(0) if pagerduty.answers else 202
                pagerduty.headers.append(dict(self.headers))
                if status == 202:
                    pagerduty.events.append(event)
                # It repeats what it was sent, as careless proxies do.
                body = json.dumps({"status": "success" if status == 202 else "invalid event", "was": event}).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v2/enqueue"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def webhook(name, receiver, rest=""):
    return f"- {{name: {name}, url: '{receiver.url}', secret_file: secret, allow_cidrs: ['127.0.0.0/8'], {rest}}}\n"


def pagerduty(name, receiver, rest=""):
    return (f"- {{name: {name}, kind: pagerduty, url: '{receiver.url}', routing_key_env: TOCSIN_TEST_ROUTING_KEY, "
            f"allow_cidrs: ['127.0.0.0/8'], {rest}}}\n")


class Fallbacks(unittest.TestCase):
    def start(self, receivers):
        self.service = Service(extra="receivers:\n" + receivers)
        self.addCleanup(self.service.stop)

    def server(self, kind):
        server = kind()
        self.addCleanup(server.close)
        return server

    def leak(self, task="t-1"):
        """An event that raises one page; releasing its halt resolves it."""
        self.service.post_lines([json.dumps({
            "type": "step", "time": "2026-03-01T10:00:00Z", "correlation_id": task, "agent": "support", "env": "prod",
            "content": {"output": "the key is AKIA" + "QX7TZ4NWB2MD5KRY"}})])

    def release(self, task="t-1"):
        done = run("halts", "release", "task:" + task, "--by", "kim", "--reason", "rotated", "--url", self.service.url)
        self.assertEqual(done.returncode, 0, done.stderr)

    def wait_for(self, condition, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, self.service.log()[-3000:])
            time.sleep(0.02)

    def pages_total(self, receiver, result):
        text = self.service.call("GET", "/metrics")[1].decode()
        line = f'tocsin_pages_total{{receiver="{receiver}",result="{result}"}} '
        return int(float(text.split(line)[1].split("\n")[0]))

    def test_the_fallback_of_a_dead_receiver_gets_the_page_and_its_resolution(self):
        dead, backup = self.server(Receiver), self.server(Receiver)
        dead.answers = [(503, {})] * 10_000
        self.start(webhook("on-call", dead, "fallback: backup, fallback_after: 1s") + webhook("backup", backup))
        self.leak()
        self.wait_for(lambda: dead.bodies)
        self.assertEqual(backup.pages, [])
        self.wait_for(lambda: backup.pages)
        self.release()
        self.wait_for(lambda: len(backup.pages) == 2)
        states = [page["data"]["state"] for page in backup.pages]
        self.assertEqual(states, ["firing", "resolved"])
        self.assertEqual(json.loads(dead.bodies[0])["data"]["page_id"], backup.pages[0]["data"]["page_id"])
        self.assertEqual(backup.bad_signatures, [])
        # The first one goes on being tried, and has both once it is back.
        dead.answers = []
        self.service.settle()
        self.assertEqual(dead.page_ids(), backup.page_ids())
        self.assertEqual(self.pages_total("on-call", "delivered"), 2)
        self.assertEqual(self.pages_total("backup", "delivered"), 2)
        self.assertGreater(self.pages_total("on-call", "failed_attempt"), 0)

    def test_a_fallback_gets_nothing_while_the_first_one_takes_its_pages(self):
        first, backup = self.server(Receiver), self.server(Receiver)
        self.start(webhook("on-call", first, "fallback: backup, fallback_after: 1s") + webhook("backup", backup))
        self.leak()
        self.service.settle()
        time.sleep(1.5)
        self.assertEqual((len(first.pages), backup.bodies), (1, []))

    def test_a_page_that_is_refused_for_good_goes_to_the_fallback_at_once(self):
        picky, backup = self.server(Pagerduty), self.server(Receiver)
        picky.answers = [400]
        self.start(pagerduty("on-call", picky, "fallback: backup") + webhook("backup", backup))
        self.leak()
        self.service.settle(timeout=30)  # five minutes would be too long
        self.assertEqual([page["data"]["state"] for page in backup.pages], ["firing"])
        self.assertEqual(self.pages_total("on-call", "parked"), 1)

    def test_pagerduty_gets_a_trigger_and_a_resolution_of_one_incident(self):
        receiver = self.server(Pagerduty)
        receiver.answers = [429, 500]
        self.start(pagerduty("on-call", receiver))
        self.leak()
        self.service.settle()
        self.release()
        self.service.settle()
        trigger, resolution = receiver.events
        self.assertEqual(len(receiver.headers), 4, "two attempts failed")
        self.assertEqual((trigger["event_action"], resolution["event_action"]), ("trigger", "resolve"))
        self.assertEqual(trigger["dedup_key"], resolution["dedup_key"])
        pages = [record["value"]["data"] for record in self.service.topic("outbox")]
        self.assertEqual(trigger["dedup_key"] + ":firing", pages[0]["page_id"])
        self.assertEqual(trigger["routing_key"], ROUTING_KEY)
        self.assertEqual(trigger["client"], "tocsin")
        payload = trigger["payload"]
        self.assertEqual((payload["source"], payload["component"], payload["group"], payload["class"]),
                         ("support", "support", "prod", "SecretLeak"))
        self.assertEqual((payload["summary"], payload["severity"]), (pages[0]["summary"], "critical"))
        self.assertEqual(payload["custom_details"]["page_id"], pages[0]["page_id"])
        self.assertNotIn(ROUTING_KEY.encode(), self.service.everything())
        for headers in receiver.headers:
            self.assertNotIn(ROUTING_KEY, json.dumps(headers))


if __name__ == "__main__":
    unittest.main()
