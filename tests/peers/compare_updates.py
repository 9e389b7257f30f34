"""A whole host update, from a bf16 gradient to a bf16 parameter with the scale taken off and clipped: `trireme bench tier` and PyTorch take
turns, medians over the rounds.

    python compare_updates.py --trireme build/release/bin/trireme --python PYTHON_WITH_TORCH --parameters 100000000 --threads 1 2

PyTorch needs three passes: the gradient to fp32, its fused AdamW, the parameter to bf16. The scale is taken off either by the fused AdamW
itself (grad_scale) or by a multiplication before it; the faster of the two counts.
"""
import argparse
import collections
import json
import os
import statistics
import subprocess
import sys
import time


def peer(count, threads, rounds):
    import torch

    torch.set_num_threads(threads)
    master, mean, square = torch.full((count,), 0.5), torch.full((count,), 1e-4), torch.full((count,), 1e-6)
    # Written, for untouched pages are all one page of zeros, which the caches hold: reading them costs nothing.
    gradient, step = torch.full((count,), 1e-3), torch.tensor(1.0)
    small_gradient, parameter = torch.full((count,), 1e-3, dtype=torch.bfloat16), torch.empty(count, dtype=torch.bfloat16)
    half, two = torch.tensor(0.5), torch.tensor(2.0)
    settings = dict(lr=1e-4, beta1=0.9, beta2=0.999, weight_decay=0.01, eps=1e-8, amsgrad=False, maximize=False)

    def fused(**more):
        torch._fused_adamw_([master], [gradient], [mean], [square], [], [step], **settings, **more)

    def with_grad_scale():
        gradient.copy_(small_gradient)
        fused(grad_scale=two, found_inf=torch.tensor(0.0))
        parameter.copy_(master)

    def with_multiplication():
        gradient.copy_(small_gradient)
        gradient.mul_(half)
        fused()
        parameter.copy_(master)

    works = [("torch fp32 alone", fused), ("torch, grad_scale", with_grad_scale), ("torch, mul_", with_multiplication)]
    try:
        from deepspeed.ops.adam import DeepSpeedCPUAdam

        parameters = torch.nn.Parameter(master)
        parameters.grad = gradient
        works.append(("DeepSpeedCPUAdam fp32 alone", DeepSpeedCPUAdam([parameters], lr=1e-4, weight_decay=0.01, adamw_mode=True).step))
    except ImportError:
        print("no deepspeed in this Python; it is left out", file=sys.stderr)
    for name, work in works:
        times = []
        for _ in range(rounds + 1):
            begin = time.perf_counter()
            work()
            times.append(time.perf_counter() - begin)
        print(json.dumps({"what": name, "parameters_per_s": count / statistics.median(times[1:])}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trireme", default="build/release/bin/trireme")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--parameters", type=int, default=100_000_000)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args.parameters, args.threads[0], args.repeats)
    rates = collections.defaultdict(list)
    for _ in range(args.rounds):
        for threads in args.threads:
            size = ["--parameters", str(args.parameters), "--threads", str(threads)]
            ours = [args.trireme, "bench", "tier", "--what", "optimizer", "--json", "--rounds", str(args.repeats), *size]
            theirs = [args.python, os.path.abspath(__file__), "--peer", "--repeats", str(args.repeats), *size]
            for command in (ours, theirs):
                environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMP_PROC_BIND="true")
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
                for line in done.stdout.splitlines():
                    if not line.startswith("{"):  # DeepSpeed tells what it builds
                        continue
                    record = json.loads(line)
                    name = record["what"] + (f", {record['backend']}" if "backend" in record else "")
                    rates[threads, name].append(record["parameters_per_s"] / 1e6)
    for (threads, name), values in sorted(rates.items()):
        print(f"{threads} threads  {name:24} {statistics.median(values):7.0f} million parameters/s"
              f"   ({min(values):.0f} to {max(values):.0f})")
    for threads in args.threads:
        best = max(statistics.median(rates[threads, name]) for name in ("torch, grad_scale", "torch, mul_"))
        print(f"{threads} threads: a whole update {statistics.median(rates[threads, 'adamw, bf16 to bf16']) / best:.2f} x, "
              f"fp32 alone {statistics.median(rates[threads, 'adamw, fp32']) / statistics.median(rates[threads, 'torch fp32 alone']):.2f} x PyTorch's, "
              f"8-bit state {statistics.median(rates[threads, 'adamw8, fp32']) / statistics.median(rates[threads, 'adamw, fp32']):.2f} x fp32's")
        deepspeed = rates[threads, "DeepSpeedCPUAdam fp32 alone"]
        if deepspeed:
            print(f"{threads} threads: fp32 alone {statistics.median(rates[threads, 'adamw, fp32']) / statistics.median(deepspeed):.2f} x DeepSpeedCPUAdam's")


if __name__ == "__main__":
    main()
