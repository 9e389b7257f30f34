"""gloo's collectives over host memory, one JSON object a line with the fields of `trireme bench comm --json`.

    python gloo_collectives.py --ranks 2 -b 1K -e 64M -f 4

The size is the whole vector. Every figure is the median of --repeats blocks, each of as many calls as take 20 ms,
of the slowest rank.
"""
import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time

COLLECTIVES = ("all_gather", "reduce_scatter", "all_reduce")
BLOCK_SECONDS = 0.02


def parse_size(text):
    units = {"K": 2**10, "M": 2**20, "G": 2**30}
    return int(float(text[:-1]) * units[text[-1]]) if text[-1] in units else int(text)


def sizes_of(args):
    size, last = parse_size(args.begin), parse_size(args.end)
    while size <= last:
        yield size
        size = round(size * args.factor)


def calls_for(dist, torch, ranks, elements):
    whole, part = torch.ones(elements), torch.ones(elements // ranks)
    return {
        "all_gather": lambda: dist.all_gather_into_tensor(whole, part),
        "reduce_scatter": lambda: dist.reduce_scatter_tensor(part, whole),
        "all_reduce": lambda: dist.all_reduce(whole),
    }


def worker(args):
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    ranks, rank = dist.get_world_size(), dist.get_rank()

    def slowest(seconds):
        value = torch.tensor([seconds], dtype=torch.float64)
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return value.item()

    def seconds_a_call(call, iterations):
        dist.barrier()
        begin = time.perf_counter()
        for _ in range(iterations):
            call()
        return slowest(time.perf_counter() - begin) / iterations

    for size in sizes_of(args):
        for name, call in calls_for(dist, torch, ranks, size // 4).items():
            if name not in args.collective.split(","):
                continue
            call()
            iterations = max(1, min(10000, int(BLOCK_SECONDS / seconds_a_call(call, 2))))
            times = [seconds_a_call(call, iterations) for _ in range(args.repeats)]
            if rank == 0:
                print(json.dumps(record(name, ranks, size, times)), flush=True)
    dist.destroy_process_group()


def record(collective, ranks, size, times):
    median = statistics.median(times)
    factor = (2 if collective == "all_reduce" else 1) * (ranks - 1) / ranks
    return {
        "collective": collective, "backend": "gloo", "ranks": ranks, "nodes": 1, "bytes": size,
        "time_us": median * 1e6, "algbw_gb_s": size / median / 1e9, "busbw_gb_s": size / median / 1e9 * factor,
        "limit_gb_s": None, "time_min_us": min(times) * 1e6, "time_max_us": max(times) * 1e6,
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def launch(args):
    port = str(free_port())
    common = dict(os.environ, WORLD_SIZE=str(args.ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT=port, OMP_NUM_THREADS="1")
    command = [sys.executable, os.path.abspath(__file__), "--worker", *sys.argv[1:]]
    ranks = [subprocess.Popen(command, env=dict(common, RANK=str(rank))) for rank in range(args.ranks)]
    return max(abs(rank.wait()) for rank in ranks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("-b", "--begin", default="1K")
    parser.add_argument("-e", "--end", default="64M")
    parser.add_argument("-f", "--factor", type=float, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--collective", default=",".join(COLLECTIVES))
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args)
        return 0
    return launch(args)


if __name__ == "__main__":
    sys.exit(main())
