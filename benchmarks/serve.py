"""Requests a second and delay of `anchorpose serve` at 1, 4 and 16 clients, beside the bare estimator in a loop.

Three processes: the server, the estimator in a loop, and this one, which sends the requests over loopback and shares
the processors with them. They take turns, so a busy machine is busy for all of them.
"""

from __future__ import annotations

import argparse
import http.client
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import systems

BARE = """
import sys, time
from pathlib import Path
import anchorpose
estimator = anchorpose.load(sys.argv[1] or None)
pictures = [Path(p).read_bytes() for p in sys.argv[2:]]
estimator(pictures[0])
for line in sys.stdin:
    begin, before = time.perf_counter(), time.process_time()
    for i in range(int(line)):
        estimator(pictures[i % len(pictures)])
    print(time.perf_counter() - begin, time.process_time() - before, flush=True)
"""


def main() -> None:
    args = arguments()
    photos = sorted(p for p in args.images.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))[: args.count]
    if not photos:
        sys.exit(f"{args.images}: found no photographs, wanted a folder of .jpg or .png")
    pictures = [photo.read_bytes() for photo in photos]
    with server(args) as address, bare(args, photos) as loop:
        ask(address, pictures, 2 * len(pictures), 2)
        print(f"# {len(photos)} photographs of {args.images}, {args.requests} requests a row, {args.rounds} rounds")
        compare(args, address, pictures, loop)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=Path("examples/photos"), help="folder of photographs")
    parser.add_argument("--count", type=int, default=8, help="how many of them")
    parser.add_argument("--requests", type=int, default=300, help="for each number of clients and round")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--model", default="", help="ONNX file; the embedded weights unless given")
    parser.add_argument("--workers", type=int, help="of the server")
    return parser.parse_args()


@contextmanager
def server(args: argparse.Namespace) -> Iterator[str]:
    """host:port of a running server."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "anchorpose", "serve", "--port", "0", "--jobs-folder", f"{folder}/jobs"]
        command += ["--model", args.model] if args.model else []
        command += ["--workers", str(args.workers)] if args.workers else []
        with open(f"{folder}/log", "w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
            try:
                line = process.stdout.readline() if process.stdout else ""
                if "http://" not in line:
                    sys.exit(f"the server did not start: {Path(folder, 'log').read_text()[-500:]}")
                yield line.split()[1].removeprefix("http://")
            finally:
                process.terminate()
                process.wait(60)


@contextmanager
def bare(args: argparse.Namespace, photos: list[Path]) -> Iterator[subprocess.Popen[str]]:
    """The estimator in a loop, which is told how often and answers with seconds."""
    process = subprocess.Popen([sys.executable, "-c", BARE, args.model, *map(str, photos)], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def ask(address: str, pictures: list[bytes], requests: int, clients: int) -> tuple[float, list[float]]:
    """Seconds for all requests, and for each; every answer must be one."""
    numbers, times, failures = iter(range(requests)), [], []
    taking = threading.Lock()

    def client() -> None:
        connection = http.client.HTTPConnection(address, timeout=600)
        while True:
            with taking:
                number = next(numbers, None)
            if number is None or failures:
                return
            begin = time.perf_counter()
            connection.request("POST", "/v1/detect", pictures[number % len(pictures)])
            answer = connection.getresponse()
            body = answer.read()
            times.append(time.perf_counter() - begin)
            if answer.status != 200 or not body.startswith(b'{"schema"'):
                failures.append(body[:300])

    threads = [threading.Thread(target=client) for _ in range(clients)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures or len(times) != requests:
        sys.exit(f"{len(times)} of {requests} requests were answered: {failures[:1]}")
    return time.perf_counter() - begin, times


def compare(args: argparse.Namespace, address: str, pictures: list[bytes], loop: subprocess.Popen[str]) -> None:
    """Print the table; rates and processor times are medians over the rounds, delays are of all requests."""
    rounds: dict[int, list[tuple[float, float, float]]] = {clients: [] for clients in (0, *args.clients)}
    times: dict[int, list[float]] = {clients: [] for clients in args.clients}
    for number in range(args.rounds):
        rounds[0].append((*run_bare(loop, args.requests), 0.0))
        for clients in args.clients:
            before = measured(address)[0]
            seconds, each = ask(address, pictures, args.requests, clients)
            after, memory = measured(address)
            rounds[clients].append((args.requests / seconds, (after - before) / args.requests, memory))
            times[clients] += each
            print(f"# round {number + 1}, {clients} clients: {memory:.0f} MB", file=sys.stderr, flush=True)
    alone = statistics.median(rate for rate, _, _ in rounds[0])
    rows = []
    for clients, done in rounds.items():
        rate, processor = (statistics.median(values) for values in list(zip(*done, strict=True))[:2])
        each = sorted(times.get(clients, []))
        middle, slow = (f"{1000 * each[int(q * (len(each) - 1))]:.0f}" if each else "-" for q in (0.5, 0.99))
        name = f"{clients} client{'s' * (clients > 1)}" if clients else "bare estimator in a loop"
        rows.append([name, f"{rate:.1f}", middle, slow, f"{rate / alone:.2f}", f"{1000 * processor:.0f}",
                     f"{done[0][2]:.0f} -> {done[-1][2]:.0f}" if clients else "-"])  # fmt: skip
    print(systems.table(["", "requests/s", "ms, p50", "ms, p99", "x bare", "CPU ms a picture", "server, MB"], rows))


def run_bare(loop: subprocess.Popen[str], requests: int) -> tuple[float, float]:
    """Pictures a second of the bare estimator, and its processor time for each."""
    assert loop.stdin is not None
    assert loop.stdout is not None
    loop.stdin.write(f"{requests}\n")
    loop.stdin.flush()
    seconds, processor = map(float, loop.stdout.readline().split())
    return requests / seconds, processor / requests


def measured(address: str) -> tuple[float, float]:
    """Processor seconds and memory in MB of the server so far."""
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    names = ("process_cpu_seconds_total", "process_resident_memory_bytes")
    found = [re.search(rf"^{name} (\S+)", text, re.MULTILINE) for name in names]
    seconds, memory = (float(match[1]) if match else float("nan") for match in found)
    return seconds, memory / 1e6


if __name__ == "__main__":
    main()
