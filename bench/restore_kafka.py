"""Starts a real broker, leaves the states of many series there, and measures how long the real program takes from its
start until it works. Then two processes: one is killed, and how long the other takes to go on for both.

    python3 bench/restore_kafka.py [--series 1000000] [--kills 3]
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/kafka"))
sys.path.insert(0, str(ROOT / "tests/e2e"))
from broker import Broker  # noqa: E402
from kafka_support import Setup, create_topic, make_producer  # noqa: E402

BENCH = os.environ.get("TOCSIN_RESTORE_BENCH", str(ROOT / "build/release/bench/tocsin_bench_restore"))


def metric(process, name):
    text = urllib.request.urlopen(process.url + "/metrics", timeout=30).read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(name + r"[ {]", line))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def restore(broker, series, rules):
    create_topic(broker.bootstrap, "telemetry", 1)
    setup = Setup(broker.bootstrap, ["telemetry"], extra=f"rules: [{rules}]", kafka="evaluate_partitions: 2")
    setup.create_topics()
    begun = time.monotonic()
    subprocess.run([BENCH, "--kafka", setup.config, "--series", str(series)], check=True)
    print(f"written in {time.monotonic() - begun:.1f} s", flush=True)
    for what in ("after the fill", "once more"):
        begun = time.monotonic()
        process = setup.start("restores")
        took = time.monotonic() - begun
        cpu = cpu_seconds(process.process.pid)
        fetched = metric(process, "tocsin_kafka_fetched_bytes_total")
        status = json.loads(process.call("GET", "/v1/status")[1])
        print(f"{what}: {series} series, ready {took:.2f} s after the start, {cpu:.2f} s of CPU, {fetched / 1e6:.0f} MB fetched by members; "
              f"series {status.get('series')}, RSS {rss_mb(process.process.pid)} MB", flush=True)
        for line in process.log().splitlines():
            if "evaluates" in line or "reads source" in line or "restor" in line:
                print("   ", line)
        process.kill()
    setup.close()


def rss_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) // 1024


def takeover(broker, kills):
    create_topic(broker.bootstrap, "live", 4)
    setup = Setup(broker.bootstrap, ["live"], extra=f"rules: [{ROOT / 'rules'}]", kafka="topic_prefix: over.\n")
    setup.config.write_text(setup.config.read_text().replace("session_timeout: 6s", "session_timeout: 10s"))
    setup.create_topics()
    stop = threading.Event()

    def feed():
        producer = make_producer(broker.bootstrap)
        i = 0
        while not stop.wait(0.002):
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            producer.produce("live", key=f"t{i % 997}", value=f'{{"type":"step","time":"{now}","correlation_id":"t{i % 997}",'
                             f'"env":"live","agent":"a","event_id":"e{i}"}}')
            producer.poll(0)
            i += 1
        producer.flush(10)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        processes = [setup.start("one"), setup.start("two")]
        for kill in range(kills):
            time.sleep(25)
            victim, survivor = processes
            setup.processes.remove(victim)
            killed_at = time.time()
            begun = time.monotonic()
            victim.kill()
            # Until grid times after the kill are evaluated for all that there is, by the one that is left.
            while True:
                status = json.loads(survivor.call("GET", "/v1/status")[1])
                evaluated = status["evaluated"]
                if evaluated and time.mktime(time.strptime(evaluated[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone > killed_at:
                    break
                assert time.monotonic() - begun < 120, survivor.log()[-3000:]
                time.sleep(0.05)
            took = time.monotonic() - begun
            print(f"kill -9 no. {kill + 1}: a grid time after it was evaluated {took:.1f} s later "
                  f"(session time-out 10 s; up to 10 s of it are the grid, 3 s the idle close)", flush=True)
            for line in survivor.log().splitlines()[-12:]:
                if "evaluates" in line or "reads source" in line:
                    print("   ", line)
            processes = [survivor, setup.start(f"again-{kill}")]
    finally:
        stop.set()
        feeder.join()
        setup.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=3)
    options = parser.parse_args()
    with Broker() as broker:
        rules = broker.folder / "bench.yaml"
        rules.write_bytes(subprocess.run([BENCH, "--rules"], check=True, stdout=subprocess.PIPE).stdout)
        if options.series:
            restore(broker, options.series, rules)
        if options.kills:
            takeover(broker, options.kills)


if __name__ == "__main__":
    main()
