#!/usr/bin/env python3
"""How long training waits for a save: `trireme train` on a model folder with a save every few steps, asynchronous and not, in turns.

    python tests/train/measure_save_waits.py --trireme build/release/bin/trireme --model FOLDER [--threads 1] [--ranks 1] [--rounds 2]

FOLDER holds a model and tokens.npy (as `compare_training.py --folder FOLDER` leaves them). A step that follows a save has the save's beginning
and whatever its updates wait for in it; what it takes longer than the steps before the save is what training waits. All of a save that is not
asynchronous is in that step, so its excess is the time that a save takes.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile


def seconds_of_steps(args, asynchronous):
    with tempfile.TemporaryDirectory(dir=args.dir) as run:
        with open(f"{run}/job.yaml", "w") as out:
            out.write(f"base_model: {args.model}\ndatasets:\n  - path: {args.model}/tokens.npy\n    type: tokens\noutput_dir: {run}/out\n"
                      f"sequence_len: 512\nmicro_batch_size: 1\ngradient_accumulation_steps: {args.accumulate}\nmax_steps: {args.steps}\noptimizer: adamw_torch\n"
                      f"learning_rate: 0.0001\nmax_grad_norm: 0.0\nbf16: true\nplacement: {'zero3' if args.ranks > 1 else 'ddp'}\n"
                      f"save_steps: {args.every}\nsave_total_limit: 1\ncheckpoint:\n  asynchronous: {str(asynchronous).lower()}\n")
        command = [args.trireme, "train", f"{run}/job.yaml"]
        if args.ranks > 1:
            command = ["mpirun", "--allow-run-as-root", "--bind-to", "none", "-n", str(args.ranks)] + command
        subprocess.run(command, env=dict(os.environ, OMP_NUM_THREADS=str(args.threads)), check=True, capture_output=True)
        times = [json.loads(line)["time"] for line in open(f"{run}/out/metrics.jsonl")]
    return [later - earlier for earlier, later in zip(times, times[1:])]  # of steps 2, 3, …


def waits(args, asynchronous):
    """What steps after a save take beyond the steps right before it, and what those take."""
    taken = seconds_of_steps(args, asynchronous)
    calm, beyond = [], []
    for save in range(2 * args.every, args.steps, args.every):  # the first save's memory is still being made
        before = taken[save - 3:save - 1]  # steps save - 1 and save
        calm += before
        beyond.append(taken[save - 1] - statistics.mean(before))
    return beyond, statistics.median(calm)


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--trireme", default="build/release/bin/trireme")
    words.add_argument("--model", required=True)
    words.add_argument("--dir", help="on the disk to be measured")
    words.add_argument("--threads", type=int, default=1)
    words.add_argument("--ranks", type=int, default=1)
    words.add_argument("--rounds", type=int, default=2)
    words.add_argument("--steps", type=int, default=21)
    words.add_argument("--every", type=int, default=4)
    words.add_argument("--accumulate", type=int, default=1)
    args = words.parse_args()
    found = {True: [], False: []}
    for _ in range(args.rounds):
        for asynchronous in (True, False):
            beyond, step = waits(args, asynchronous)
            found[asynchronous] += beyond
    wait, save = (statistics.median(found[way]) for way in (True, False))
    print(f"{args.ranks} rank(s) of {args.threads} thread(s), steps of {step:.3f} s: training waits {1000 * wait:.0f} ms "
          f"({1000 * min(found[True]):.0f} to {1000 * max(found[True]):.0f}, {len(found[True])} saves) for a save of {save:.3f} s: {100 * wait / save:.1f} %")


main()
