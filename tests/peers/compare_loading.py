"""Loads one safetensors folder of about 1 GB into memory of its own, from a warm page cache: Python's safetensors and `trireme bench load` in
turn, beside plain reads of the same bytes.

    python compare_loading.py --trireme build/release/bin/trireme [--dir DIR] [--mib 1024] [--rounds 3]
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

CHILD = """
import sys, time, torch
from safetensors.torch import load_file
path, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
best = []
for _ in range(4):
    start = time.perf_counter()
    tensors = [t.clone() for t in load_file(path).values()]
    best.append(time.perf_counter() - start)
    size = sum(t.nbytes for t in tensors)
    del tensors
print(size, sorted(best[1:])[1])
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trireme", required=True)
    parser.add_argument("--dir")
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    import torch
    from safetensors.torch import save_file

    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        path = pathlib.Path(folder) / "model.safetensors"
        save_file({f"layer.{i}.weight": torch.rand(256, args.mib * 2**20 // 4 // 64 // 256) for i in range(64)}, path)
        rates = {}
        for _ in range(args.rounds):
            for threads in (1, 2):
                size, seconds = subprocess.run([sys.executable, "-c", CHILD, str(path), str(threads)], capture_output=True, text=True,
                                               check=True).stdout.split()
                rates.setdefault(f"safetensors load_file, cloned, {threads} thread(s)", []).append(int(size) / float(seconds) / 1e9)
            for line in subprocess.run([args.trireme, "bench", "load", folder, "--threads", "2", "--runs", "3", "--json"], capture_output=True,
                                       text=True, check=True).stdout.splitlines():
                entry = json.loads(line)
                rates.setdefault("trireme: " + entry["what"], []).append(entry["gb_per_s"])
        for what, values in rates.items():
            print(f"{what:56} {statistics.median(values):6.2f} GB/s ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
