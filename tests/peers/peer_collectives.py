"""Collectives over host memory as Python programs call them, one JSON object a line with the fields of `trireme bench comm --json`.

    python peer_collectives.py gloo --ranks 2 -b 1K -e 64M -f 4         # through torch.distributed
    python peer_collectives.py mpi4py --ranks 2 -b 1K -e 64M -f 4       # Open MPI, started by mpirun

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


class Gloo:
    def __init__(self):
        import torch
        import torch.distributed as dist

        torch.set_num_threads(1)
        dist.init_process_group("gloo")
        self.torch, self.dist = torch, dist
        self.ranks, self.rank, self.barrier = dist.get_world_size(), dist.get_rank(), dist.barrier

    def slowest(self, seconds):
        value = self.torch.tensor([seconds], dtype=self.torch.float64)
        self.dist.all_reduce(value, op=self.dist.ReduceOp.MAX)
        return value.item()

    def calls(self, elements):
        whole, part = self.torch.rand(elements), self.torch.rand(elements // self.ranks)
        return {
            "all_gather": lambda: self.dist.all_gather_into_tensor(whole, part),
            "reduce_scatter": lambda: self.dist.reduce_scatter_tensor(part, whole),
            "all_reduce": lambda: self.dist.all_reduce(whole),
        }


class Mpi4py:
    def __init__(self):
        import numpy
        from mpi4py import MPI

        self.numpy, self.mpi, self.world = numpy, MPI, MPI.COMM_WORLD
        self.ranks, self.rank, self.barrier = self.world.size, self.world.rank, self.world.Barrier

    def slowest(self, seconds):
        return self.world.allreduce(seconds, self.mpi.MAX)

    def calls(self, elements):
        whole, other, part = (self.numpy.random.rand(n).astype(self.numpy.float32)
                              for n in (elements, elements, elements // self.ranks))
        return {
            "all_gather": lambda: self.world.Allgather(part, whole),
            "reduce_scatter": lambda: self.world.Reduce_scatter_block(whole, part, self.mpi.SUM),
            "all_reduce": lambda: self.world.Allreduce(whole, other, self.mpi.SUM),
        }


def worker(args):
    peer = Gloo() if args.library == "gloo" else Mpi4py()

    def seconds_a_call(call, iterations):
        peer.barrier()
        begin = time.perf_counter()
        for _ in range(iterations):
            call()
        return peer.slowest(time.perf_counter() - begin) / iterations

    for size in sizes_of(args):
        for name, call in peer.calls(size // 4).items():
            if name not in args.collective.split(","):
                continue
            call()
            iterations = max(1, min(10000, int(BLOCK_SECONDS / seconds_a_call(call, 2))))
            times = [seconds_a_call(call, iterations) for _ in range(args.repeats)]
            if peer.rank == 0:
                print(json.dumps(record(args.library, name, peer.ranks, size, times)), flush=True)


def record(library, collective, ranks, size, times):
    median = statistics.median(times)
    factor = (2 if collective == "all_reduce" else 1) * (ranks - 1) / ranks
    return {
        "collective": collective, "backend": library, "ranks": ranks, "nodes": 1, "bytes": size,
        "time_us": median * 1e6, "algbw_gb_s": size / median / 1e9, "busbw_gb_s": size / median / 1e9 * factor,
        "limit_gb_s": None, "time_min_us": min(times) * 1e6, "time_max_us": max(times) * 1e6,
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def launch(args):
    command = [sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--worker"]
    if args.library == "mpi4py":
        return subprocess.call([*args.mpirun.split(), "-n", str(args.ranks), *command])
    port = str(free_port())
    common = dict(os.environ, WORLD_SIZE=str(args.ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT=port, OMP_NUM_THREADS="1")
    ranks = [subprocess.Popen(command, env=dict(common, RANK=str(rank))) for rank in range(args.ranks)]
    return max(abs(rank.wait()) for rank in ranks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", choices=("gloo", "mpi4py"))
    parser.add_argument("--mpirun", default="mpirun --bind-to core")
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
