"""Starts a real broker, makes the topics, and runs bench/kafka_bench.cc: Tocsin's ingest against bare librdkafka."""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/kafka"))
from broker import Broker  # noqa: E402

PARTITIONS = 4


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--halts", type=int, default=300)
    parser.add_argument("--nodes", type=int, default=1, choices=(1, 3))
    parser.add_argument("--bench", default=os.environ.get("TOCSIN_KAFKA_BENCH", ROOT / "build/release/bench/tocsin_kafka_bench"))
    parser.add_argument("--tocsin", default=os.environ.get("TOCSIN", ROOT / "build/release/tocsin"))
    options = parser.parse_args()
    with Broker(nodes=options.nodes) as broker, tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "tocsin.yaml"
        config.write_text(f"halts: {{mode: dry_run}}\nkafka:\n  brokers: {broker.bootstrap}\n  sources: [telemetry]\n")
        subprocess.run([options.tocsin, "topics", "--config", config, "--create", "--source-partitions",
                        str(PARTITIONS)], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([options.bench, broker.bootstrap, "telemetry", str(PARTITIONS), "tocsin.", str(options.events),
                        str(options.halts)], check=True)


if __name__ == "__main__":
    main()
