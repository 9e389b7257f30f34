"""A drive through our engine and through fio, in turns with the same blocks and depth, from one process and from several at once.

    python compare_drives.py --trireme build/release/bin/trireme --folder /scratch/me --blocks 128K 1M --depths 16 --processes 1 2

Both use io_uring around the page cache on a file whose space is taken, one pass in order over the same number of bytes; medians over the
rounds, each of which starts with the other one of the two. Needs fio.
"""
import argparse
import collections
import json
import os
import statistics
import subprocess
import tempfile


def together(commands):
    """Runs them at once; their outputs."""
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    outputs = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise SystemExit(f"{commands[0]} failed: {outputs}")
    return outputs


def ours(args, folders, block, depth):
    command = [args.trireme, "bench", "tier", "--what", "nvme", "--backends", "io_uring", "--size", args.size, "--blocks", block,
               "--depths", str(depth), "--rounds", str(args.passes), "--json", "--paths"]
    rates = collections.Counter()
    for output in together([command + [folder] for folder in folders]):
        for line in output.splitlines():
            record = json.loads(line)
            rates[record["what"].removeprefix("nvme_")] += record["gb_s"]
    return rates


def fio(args, folders, block, depth):
    rates = collections.Counter()
    for way in ("write", "read"):
        commands = [["fio", "--name=peer", f"--filename={folder}/fio", f"--rw={way}", f"--size={args.size}", f"--bs={block}",
                     f"--iodepth={depth}", "--ioengine=io_uring", "--direct=1", "--registerfiles=1", "--fixedbufs=1", "--thread",
                     "--scramble_buffers=0", "--overwrite=1", f"--loops={args.passes}", "--output-format=json"] for folder in folders]
        for output in together(commands):
            rates[way] += json.loads(output[output.index("{"):])["jobs"][0][way]["bw_bytes"] / 1e9
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trireme", default="build/release/bin/trireme")
    parser.add_argument("--folder", default=".")
    parser.add_argument("--size", default="256M")
    parser.add_argument("--blocks", nargs="+", default=["128K", "1M"])
    parser.add_argument("--depths", type=int, nargs="+", default=[16])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as top:
        folders = [os.path.join(top, str(number)) for number in range(max(args.processes))]
        for folder in folders:
            os.mkdir(folder)
        print("processes    block  depth  way      ours GB/s   fio GB/s   ours/fio   of single rounds")
        for processes in args.processes:
            for block in args.blocks:
                for depth in args.depths:
                    turns = collections.defaultdict(list)
                    fio(args, folders[:processes], block, depth)  # takes the files' space
                    for number in range(args.rounds):
                        for system in (ours, fio) if number % 2 == 0 else (fio, ours):
                            for way, rate in system(args, folders[:processes], block, depth).items():
                                turns[system.__name__, way].append(rate)
                    for way in ("write", "read"):
                        pair = [statistics.median(turns[name, way]) for name in ("ours", "fio")]
                        single = [a / b for a, b in zip(turns["ours", way], turns["fio", way])]
                        print(f"{processes:9} {block:>8} {depth:6}  {way:6} {pair[0]:11.2f} {pair[1]:10.2f} {100 * pair[0] / pair[1]:9.0f} %"
                              f"   {100 * min(single):.0f} to {100 * max(single):.0f} %", flush=True)


if __name__ == "__main__":
    main()
