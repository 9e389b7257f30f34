"""Saves and loads the same amount of fp32 state, in 64 tensors, with `trireme bench checkpoint` and with torch's distributed checkpoint (DCP), in
turns, on 1 and on 2 ranks. Both sync their files. How long training waits is that of an asynchronous save.

    python compare_checkpoints.py --trireme build/release/bin/trireme --python PYTHON --dir /scratch [--mib 1024] [--rounds 5] [--ranks 1 2]

PYTHON has torch. Of DCP the better of two turns counts in each round: the first makes its staging memory.
"""
import argparse
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys

PEER = """
import os, sys, time, torch, torch.distributed as dist, torch.distributed.checkpoint as dcp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard
folder, mib, turns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
dist.init_process_group("gloo")
mesh = init_device_mesh("cpu", (dist.get_world_size(),))
rows = 256 // mesh.size()
columns = mib * 2**20 // 4 // 64 // 256
state = {f"layer.{i}.weight": DTensor.from_local(torch.rand(rows, columns), mesh, [Shard(0)]) for i in range(64)}
def timed(what, work):
    dist.barrier()
    start = time.perf_counter()
    future = work()
    seconds = torch.tensor(time.perf_counter() - start)
    if what == "training waits": future.result()  # its collectives must not meet the next one's
    dist.all_reduce(seconds, dist.ReduceOp.MAX)
    if dist.get_rank() == 0: print(what, seconds.item(), flush=True)
for turn in range(turns):
    path = os.path.join(folder, f"dcp-{turn}")
    timed("save", lambda: dcp.save(state, checkpoint_id=path))
    timed("load, warm", lambda: dcp.load(state, checkpoint_id=path))
    timed("training waits", lambda: dcp.async_save(state, checkpoint_id=path + "-async"))
dist.barrier()
os._exit(0)  # its threads of asynchronous saves may not outlive the interpreter
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def peer(args, ranks, folder):
    environment = dict(os.environ, WORLD_SIZE=str(ranks), OMP_NUM_THREADS="1", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()))
    command = [args.python, "-W", "ignore", "-c", PEER, str(folder), str(args.mib), "2"]
    processes = [subprocess.Popen(command, env=dict(environment, RANK=str(rank)), stdout=subprocess.PIPE, text=True) for rank in range(ranks)]
    output = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit("torch's distributed checkpoint failed")
    turn = {}
    for line in output[0].splitlines():
        what, seconds = line.rsplit(" ", 1)
        turn[what] = min(turn.get(what, float("inf")), float(seconds))
    return turn


def ours(args, ranks, folder):
    command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), args.trireme, "bench", "checkpoint", str(folder)]
    lines = subprocess.run(command + ["--size", f"{args.mib}M", "--repeats", "1", "--json"], capture_output=True, text=True, check=True).stdout
    return {entry["what"]: entry["seconds"] for entry in map(json.loads, lines.splitlines())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trireme", required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    folder = pathlib.Path(args.dir) / "compare-checkpoints"
    for ranks in args.ranks:
        found = {}
        for _ in range(args.rounds):
            for name, measure in (("trireme", ours), ("DCP", peer)):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                os.sync()
                for what, seconds in measure(args, ranks, folder).items():
                    found.setdefault(what, {}).setdefault(name, []).append(seconds)
        for what in ("save", "training waits", "load, warm"):
            medians = {name: statistics.median(values) for name, values in found[what].items()}
            shown = ", ".join(f"{name} {median:.3f} s ({min(found[what][name]):.3f} to {max(found[what][name]):.3f})" for name, median in medians.items())
            print(f"{ranks} rank(s), {args.mib} MiB, {what}: {shown}: {medians['DCP'] / max(medians['trireme'], 1e-3):.2f} times as fast")
        limit, save = found["write limit"]["trireme"], found["save"]["trireme"]
        print(f"{ranks} rank(s): saves at {100 * statistics.median(a / b for a, b in zip(limit, save)):.0f} % of the disk's write limit (median of the rounds)")
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
