"""Feeds the fuzz targets for a while each, and says what was tried and what broke.

    python3 tests/fuzz/run.py --seconds 600 --target event

Builds nothing: `cmake --preset fuzz && cmake --build --preset fuzz --target tocsin_fuzz` does. Inputs to begin with are
those of corpus/TARGET, what Tocsin ships, and the records of tests/core/stage/records_before. What a long run finds new
stays in --keep FOLDER; an input that breaks something is left in the folder from which this was called.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Largest inputs; what is larger is refused by its size alone, which unit tests look at.
MOST_BYTES = {"event": 65_536, "otlp": 16_384, "upload": 16_384, "scan": 65_536, "http_body": 65_536, "rules": 8_192, "patterns": 4_096, "config": 8_192,
              "block": 16_384, "evaluate_state": 16_384}
SAMPLES = {"rules": ["rules/agents.yaml", "rules/specs/demo.yaml"], "patterns": ["rules/sanitize/pii.yaml"],
           "config": ["deploy/tocsin.yaml", "deploy/docker.yaml"]}
STATES = ["series/", "versions/", "window/", "overrun/", "folding/", "episode/", "event/"]
TASKS = ["task/", "halt/", "identities/"]


def records():
    """(target, input) of the records that the release before wrote."""
    for line in (ROOT / "tests/core/stage/records_before/records.txt").read_text().splitlines():
        kind, *rest = line.split()
        fields = [b"" if field == "-" else bytes.fromhex(field) for field in rest if kind != "ingest" or field != rest[0]]
        if kind in ("block", "finding"):
            yield kind, fields[0]
        elif kind == "task":
            form = next(i for i, prefix in enumerate(TASKS) if fields[0].startswith(prefix.encode()))
            yield "ingest_state", bytes([form]) + fields[1]
        elif kind == "ingest":
            yield "ingest_state", b"\3" + fields[0]
        elif kind == "state":
            form = next(i for i, prefix in enumerate(STATES) if fields[0].startswith(prefix.encode()))
            name = fields[0][len(STATES[form]):]
            if form >= 2:
                name = name.partition(b"\0")[2]
            yield "evaluate_state", bytes([form]) + name + b"\n" + fields[1]
        elif kind == "evaluate":
            yield "evaluate_state", b"\7?\n" + fields[0]


def beginnings(target, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((HERE / "corpus" / target).glob("*")):
        shutil.copy(path, folder / path.name)
    for name in SAMPLES.get(target, []):
        text = (ROOT / name).read_bytes()
        (folder / f"shipped-{pathlib.Path(name).name}").write_bytes(text[:MOST_BYTES[target]])
    for i, (kind, content) in enumerate(records()):
        if kind == target:
            (folder / f"record-{i}").write_bytes(content)


def feed(program, target, seconds, keep, seed):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(keep or temporary) / target
        beginnings(target, folder)
        outcome = subprocess.run(
            [program, str(folder), f"-max_total_time={seconds}", f"-max_len={MOST_BYTES.get(target, 4_096)}",
             "-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=128", "-print_final_stats=1", "-verbosity=1",
             f"-seed={seed}", f"-dict={HERE / 'words.dict'}", f"-artifact_prefix={target}-"],
            env={**os.environ, "TOCSIN_FUZZ_TARGET": target}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            errors="replace", check=False)
    said = outcome.stdout
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", said)
    rate = re.search(r"stat::average_exec_per_sec:\s*(\d+)", said)
    features = re.findall(r"ft: (\d+)", said)
    print(f"{target:15} {int(executions[1]) if executions else 0:>10} inputs  {rate[1] if rate else '?':>7}/s  "
          f"{features[-1] if features else '?':>6} features  {'ok' if outcome.returncode == 0 else 'BROKEN'}", flush=True)
    if outcome.returncode != 0:
        print(said[-6_000:], flush=True)
    return outcome.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/fuzz/tests/tocsin_fuzz"))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations; 0 draws one")
    parser.add_argument("--target", action="append", help="this one only; may be repeated")
    parser.add_argument("--at-once", type=int, default=os.cpu_count())
    parser.add_argument("--keep", help="a folder for the inputs that led somewhere new")
    options = parser.parse_args()
    environment = {name: value for name, value in os.environ.items() if name != "TOCSIN_FUZZ_TARGET"}
    known = subprocess.run([options.program], env=environment, capture_output=True, text=True, check=True).stdout.split()
    chosen = options.target or known
    if unknown := set(chosen) - set(known):
        sys.exit(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
        good = list(pool.map(lambda one: feed(options.program, one, options.seconds, options.keep, options.seed), chosen))
    if not all(good):
        sys.exit(f"{good.count(False)} of {len(good)} targets broke; the inputs are in {os.getcwd()}")


if __name__ == "__main__":
    main()
