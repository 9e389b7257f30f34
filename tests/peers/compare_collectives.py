"""Tables of shm beside Open MPI, gloo and the limit: `trireme bench comm` and the peers take turns, medians over the rounds.

    python compare_collectives.py --trireme build/release/bin/trireme --python PYTHON_WITH_TORCH --rounds 3
    python compare_collectives.py --from figures.jsonl          # the tables of figures measured before
"""
import argparse
import collections
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
COLLECTIVES = ("all_gather", "reduce_scatter", "all_reduce")
COLUMNS = {"openmpi": "Open MPI", "mpi4py": "mpi4py", "gloo": "gloo"}


def run_json(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def measure(args, number):
    sizes = ["-b", args.begin, "-e", args.end, "-f", str(args.factor), "--repeats", str(args.repeats)]
    ours = [*args.mpirun.split(), "-n", str(args.ranks), args.trireme, "bench", "comm", "--backend", args.backend, "--json"]
    turns = [ours + sizes]
    for library in args.peers.split(","):
        turns.append([args.python, os.path.join(HERE, "peer_collectives.py"), library, "--ranks", str(args.ranks), *sizes])
    records = []
    for command in turns if number % 2 == 0 else reversed(turns):
        records += run_json(command)
    return records


def medians(records):
    """(collective, bytes) -> backend -> (median time, median limit)"""
    times, limits = collections.defaultdict(list), collections.defaultdict(list)
    for record in records:
        key = (record["collective"], record["bytes"])
        times[key, record["backend"]].append(record["time_us"])
        if record["limit_gb_s"]:
            # The time that would reach the limit, so that it can be averaged beside the times.
            limits[key].append(record["busbw_gb_s"] * record["time_us"] / record["limit_gb_s"])
    table = collections.defaultdict(dict)
    for (key, backend), values in times.items():
        table[key][backend] = statistics.median(values)
    for key, values in limits.items():
        table[key]["limit"] = statistics.median(values)
    return table


def human(size):
    for unit, name in ((2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:g} {name}"
    return f"{size} B"


def print_tables(records, backend):
    table = medians(records)
    ranks = records[0]["ranks"]
    others = [name for name in COLUMNS if any(name in row for row in table.values())]
    for collective in COLLECTIVES:
        factor = (2 if collective == "all_reduce" else 1) * (ranks - 1) / ranks
        print(f"\n**{collective}**, bus bandwidth in GB/s (time in µs)\n")
        titles = ["size", backend, *(COLUMNS[name] for name in others), "limit", f"{backend} of limit"]
        titles += [f"over {COLUMNS[name]}" for name in others]
        print("| " + " | ".join(titles) + " |\n" + "| ---: " * len(titles) + "|")
        for (name, size), row in sorted(table.items()):
            if name != collective:
                continue
            cells = [human(size)]
            for column in (backend, *others, "limit"):
                time = row.get(column)
                cells.append(f"{size / time / 1e3 * factor:.2f} ({time:.2f})" if time else "")
            ours = row[backend]
            cells.append(f"{100 * row['limit'] / ours:.0f} %")
            cells += [f"{row[name] / ours:.2f}×" if name in row else "" for name in others]
            print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trireme", default="build/release/bin/trireme")
    parser.add_argument("--python", default=sys.executable, help="a Python with PyTorch, and mpi4py where it is a peer")
    parser.add_argument("--peers", default="gloo", help="gloo, mpi4py, or both with a comma")
    parser.add_argument("--mpirun", default="mpirun --bind-to core")
    parser.add_argument("--backend", default="shm,openmpi", help="the first is ours in the tables")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("-b", "--begin", default="1K")
    parser.add_argument("-e", "--end", default="256M")
    parser.add_argument("-f", "--factor", type=float, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", help="append the records to this file")
    parser.add_argument("--from", dest="source", help="print the tables of records that were saved")
    args = parser.parse_args()
    if args.source:
        with open(args.source) as file:
            records = [json.loads(line) for line in file]
    else:
        records = [record for number in range(args.rounds) for record in measure(args, number)]
    if args.save:
        with open(args.save, "a") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
    print_tables(records, args.backend.split(",")[0])


if __name__ == "__main__":
    main()
