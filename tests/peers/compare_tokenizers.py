"""Encodes the same text files with the `tokenizers` library and with `trireme bench tokenizer`, in turn, and prints MB/s side by side.

    python compare_tokenizers.py --trireme build/release/bin/trireme --tokenizer tokenizer.json --text corpus/ [--rounds 3]

Each file is a text. Token counts must be equal. The library is timed by encode_batch_fast on as many threads as trireme has.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

CHILD = """
import os, pathlib, sys, time, tokenizers
path, folder = sys.argv[1:]
files = sorted(str(f) for f in pathlib.Path(folder).rglob("*") if f.is_file())
texts = [open(f, encoding="utf-8", errors="replace").read() for f in files]
tokenizer = tokenizers.Tokenizer.from_file(path)
start = time.perf_counter()
tokens = sum(len(e.ids) for e in tokenizer.encode_batch_fast(texts))
print(time.perf_counter() - start, tokens)
"""


def main():
    parser = argparse.ArgumentParser()
    for name in ("trireme", "tokenizer", "text"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    size = sum(f.stat().st_size for f in pathlib.Path(args.text).rglob("*") if f.is_file())
    rates, counts = {}, set()
    for _ in range(args.rounds):
        for threads in (1, 2):
            environment = dict(os.environ, RAYON_NUM_THREADS=str(threads), TOKENIZERS_PARALLELISM="true")
            seconds, tokens = subprocess.run([sys.executable, "-c", CHILD, args.tokenizer, args.text], env=environment,
                                             capture_output=True, text=True, check=True).stdout.split()
            rates.setdefault(("tokenizers", threads), []).append(size / float(seconds) / 1e6)
            counts.add(int(tokens))
            ours = json.loads(subprocess.run(
                [args.trireme, "bench", "tokenizer", args.tokenizer, args.text, "--threads", str(threads), "--runs", "5", "--json"],
                capture_output=True, text=True, check=True).stdout)
            rates.setdefault(("trireme", threads), []).append(ours["mb_per_s"])
            counts.add(ours["tokens"])
    for (who, threads), values in rates.items():
        print(f"{who:12} {threads} thread(s) {statistics.median(values):8.1f} MB/s ({min(values):.1f} to {max(values):.1f})")
    one, two = statistics.median(rates["trireme", 1]), statistics.median(rates["trireme", 2])
    print(f"one thread: {one / statistics.median(rates['tokenizers', 1]):.1f} times; two threads: {two / one:.2f} times one")
    print(f"tokens: {counts}")
    sys.exit(len(counts) != 1)


if __name__ == "__main__":
    main()
