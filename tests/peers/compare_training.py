#!/usr/bin/env python3
"""Training: `trireme train` and transformers with PyTorch in turns, on the same weights and tokens.

python tests/peers/compare_training.py --python PYTHON --trireme build/release/bin/trireme --threads 1 2
python tests/peers/compare_training.py --python PYTHON --systems ddp fsdp2 --ranks 2

--python is one with torch, transformers and safetensors. `single` is one process (autocast, fused AdamW), `ddp` is
DistributedDataParallel and `fsdp2` fully_shard over gloo, `deepspeed` its ZeRO-3 on its CPU accelerator, beside our ddp and zero3. Each system is bound to as many cores as it has
threads. Prints tokens/s (median of the steps after the second, of all rounds), the peak of a rank's memory (ours until the last step
but one, after which it saves), the losses' worst relative difference, seconds from launch to the end of the first step, and the share of our step that
its list of matrix products takes by itself, timed right before and after the run.
"""
import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SIZES = {
    "tiny": dict(hidden_size=256, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=4, intermediate_size=688,
                 vocab_size=8192),
    "small": dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, num_key_value_heads=4, intermediate_size=2048,
                  vocab_size=32000),
}
PLACEMENTS = {"single": "ddp", "ddp": "ddp", "fsdp2": "zero3", "deepspeed": "zero3"}


def prepare(args):
    import numpy
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(**SIZES[args.size], max_position_embeddings=2048, rms_norm_eps=1e-5, tie_word_embeddings=False,
                         use_cache=False)
    LlamaForCausalLM(config).float().save_pretrained(args.folder)
    uniform = numpy.random.default_rng(1234).random((args.steps * args.ranks, args.sequence))
    numpy.save(f"{args.folder}/tokens.npy", (uniform**3 * config.vocab_size).astype(numpy.int32))


def train_with_transformers(args):
    launched = float(os.environ["LAUNCHED"])
    import numpy
    import torch
    import torch.distributed as dist
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    rank = int(os.environ.get("RANK", 0))
    model = AutoModelForCausalLM.from_pretrained(args.folder, dtype=torch.float32)
    model.train()
    bf16 = args.dtype == "bf16"
    if args.peer == "deepspeed":
        import deepspeed

        deepspeed.logger.setLevel("ERROR")
        deepspeed.init_distributed(dist_backend="gloo")
    elif args.ranks > 1:
        dist.init_process_group("gloo")
    if args.peer == "ddp":
        model = torch.nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True)
    if args.peer == "fsdp2":
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.bfloat16) if bf16 else MixedPrecisionPolicy()
        for part in [*model.model.layers, model]:
            fully_shard(part, mp_policy=policy)
    if args.peer == "deepspeed":
        # Without the zero it clips at 1.
        settings = {"train_micro_batch_size_per_gpu": 1, "gradient_clipping": 0.0, "zero_optimization": {"stage": 3, "overlap_comm": False},
                    "optimizer": {"type": "AdamW", "params": {"lr": 1e-4, "weight_decay": 0.0}}, "bf16": {"enabled": bf16}}
        model = deepspeed.initialize(model=model, model_parameters=model.parameters(), config=settings)[0]
    else:
        rule = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0, fused=True)
    losses, times, first = [], [], None
    rows = torch.from_numpy(numpy.load(f"{args.folder}/tokens.npy")).long()
    for step in range(args.steps):
        row = rows[step * args.ranks + rank].unsqueeze(0)
        if args.ranks > 1:
            dist.barrier()
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16 and args.peer in ("single", "ddp")):
            loss = model(input_ids=row, labels=row).loss
        if args.peer == "deepspeed":
            model.backward(loss)
            model.step()
        else:
            loss.backward()
            rule.step()
            rule.zero_grad(set_to_none=True)
        mean = loss.detach().double()
        if args.ranks > 1:
            dist.all_reduce(mean)
        losses.append(mean.item() / args.ranks)
        times.append(time.perf_counter() - start)
        first = first or time.time() - launched
    if rank == 0:
        print(json.dumps({"losses": losses, "rates": [args.ranks * args.sequence / t for t in times], "first_s": first}), flush=True)
    if args.ranks > 1:
        dist.destroy_process_group()


def run_peer(args, system, again, environment, bind):
    ranks = args.ranks if system != "single" else 1
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    environment = dict(environment, LAUNCHED=repr(time.time()), DS_ACCELERATOR="cpu", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE=str(ranks))
    command = again + ["--ranks", str(ranks), "--peer", system]
    children = [subprocess.Popen(command, env=dict(environment, RANK=str(rank), LOCAL_RANK=str(rank), LOCAL_SIZE=str(ranks)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 preexec_fn=bind(rank)) for rank in range(ranks)]
    memory = Memory()
    while any(child.poll() is None for child in children):
        memory.look(os.getpid())
        time.sleep(0.05)
    said = [child.communicate() for child in children]
    if any(child.returncode for child in children):
        sys.exit("\n".join(errors[-2000:] for _, errors in said))
    return dict(json.loads(said[0][0].splitlines()[-1]), peak_mib=memory.peak())


class Memory:
    """The peak of a rank's memory in MiB, over the processes below one: its own pages, and its share of those that ranks share."""

    def __init__(self):
        self.own, self.shared, self.next_share = {}, {}, 0.0

    def look(self, process):
        below, own = {}, {}
        for number in filter(str.isdigit, os.listdir("/proc")):
            try:
                fields = dict(line.split(":", 1) for line in open(f"/proc/{number}/status"))
                below.setdefault(int(fields["PPid"]), []).append(int(number))
                own[int(number)] = sum(int(fields.get(kind, "0 kB").split()[0]) for kind in ("RssAnon", "RssFile")) / 1024
            except (OSError, ValueError):
                pass
        # The share takes the system a walk through all pages, so it is asked for rarely.
        share_now, waiting = time.time() >= self.next_share, [process]
        if share_now:
            self.next_share = time.time() + 1
        while waiting:
            for number in below.get(waiting.pop(), []):
                waiting.append(number)
                self.own[number] = max(self.own.get(number, 0), own[number])
                if share_now:
                    self.shared[number] = max(self.shared.get(number, 0), shared_pages_of(number))

    def peak(self):
        return max(own + self.shared.get(number, 0) for number, own in self.own.items())


def shared_pages_of(number):
    try:
        return sum(int(line.split()[1]) for line in open(f"/proc/{number}/smaps_rollup") if line.startswith("Pss_Shmem:")) / 1024
    except (OSError, ValueError):
        return 0


def run_trireme(args, system, environment, bind):
    ranks = args.ranks if system != "single" else 1
    with tempfile.TemporaryDirectory() as run:
        job, log = f"{run}/job.yaml", f"{run}/out/metrics.jsonl"
        with open(job, "w") as out:
            out.write(f"base_model: {args.folder}\ndatasets:\n  - path: {args.folder}/tokens.npy\n    type: tokens\noutput_dir: {run}/out\n"
                      f"shuffle_merged_datasets: false\nsequence_len: {args.sequence}\nmicro_batch_size: 1\nmax_steps: {args.steps}\n"
                      f"optimizer: adamw_torch\nlearning_rate: 0.0001\nlr_scheduler: constant\nweight_decay: 0.0\nmax_grad_norm: 0.0\n"
                      f"bf16: {'true' if args.dtype == 'bf16' else 'false'}\nplacement: {PLACEMENTS[system]}\n")
        products = lambda: json.loads(subprocess.run([args.trireme, "bench", "products", job], env=environment, capture_output=True,
                                                     text=True, check=True, preexec_fn=bind(0)).stdout)["products"]
        before = products()
        command = [args.trireme, "train", job]
        if ranks > 1:
            command = ["mpirun", "--bind-to", "core", "-n", str(ranks)] + command
        begin, first, memory = time.time(), None, Memory()
        # As a child of a shell, so that one rank is found as several are: below what was started.
        child = subprocess.Popen(["bash", "-c", '"$@"; exit $?', "-", *command], env=environment, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True, preexec_fn=bind(0) if ranks == 1 else None)
        while child.poll() is None:
            lines = len(open(log).readlines()) if os.path.exists(log) else 0
            if lines and not first:
                first = time.time() - begin
            if lines < args.steps:
                memory.look(child.pid)
            time.sleep(0.01 if not first else 0.05)
        if child.returncode:
            sys.exit(child.stderr.read())
        lines = [json.loads(line) for line in open(log)]
        after = products()
        # Rates are of scored tokens; the first of a row is not.
        scale = args.sequence / (args.sequence - 1)
        return {"losses": [l["loss"] for l in lines], "rates": [l["tokens_per_s"] * scale for l in lines], "first_s": first,
                "peak_mib": memory.peak(), "products_s": (before["seconds"] + after["seconds"]) / 2,
                "gflops_per_s": 2 * before["gflops"] / (before["seconds"] + after["seconds"])}


def compare(args, system, threads, again):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    cores = sorted(os.sched_getaffinity(0))

    def bind(rank):
        return lambda: os.sched_setaffinity(0, cores[rank * threads:(rank + 1) * threads])

    ours, theirs = [], []
    for _ in range(args.rounds):
        ours.append(run_trireme(args, system, environment, bind))
        theirs.append(run_peer(args, system, again, environment, bind))
    median = lambda runs, key: statistics.median(run[key] for run in runs)
    rate = [statistics.median(r for run in runs for r in run["rates"][2:]) for runs in (ours, theirs)]
    peak = [max(run["peak_mib"] for run in runs) for runs in (ours, theirs)]
    apart = max(abs(a / b - 1) for a, b in zip(ours[0]["losses"], theirs[0]["losses"]))
    ranks = args.ranks if system != "single" else 1
    share = statistics.median(run["products_s"] * statistics.median(run["rates"][2:]) / (args.sequence * ranks) for run in ours)
    print(f"{args.size} {args.dtype} {system} {ranks} x {threads}: trireme {PLACEMENTS[system]} {rate[0]:.0f} tokens/s, {peak[0]:.0f} MiB, "
          f"first step {median(ours, 'first_s'):.2f} s; PyTorch {rate[1]:.0f} tokens/s, {peak[1]:.0f} MiB, {median(theirs, 'first_s'):.2f} s; "
          f"ratio {rate[0] / rate[1]:.2f}, memory {peak[0] / peak[1]:.2f}; losses within {apart:.1e}; products {100 * share:.0f} % of the "
          f"step at {median(ours, 'gflops_per_s'):.0f} Gflop/s", flush=True)


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--python", default=sys.executable)
    words.add_argument("--trireme", default="build/release/bin/trireme")
    words.add_argument("--size", default="small", choices=SIZES)
    words.add_argument("--dtype", default="bf16", choices=["bf16", "fp32"])
    words.add_argument("--systems", nargs="+", default=["single"], choices=PLACEMENTS)
    words.add_argument("--ranks", type=int, default=2, help="of systems other than single")
    words.add_argument("--threads", type=int, nargs="+", default=[1])
    words.add_argument("--rounds", type=int, default=2)
    words.add_argument("--steps", type=int, default=6)
    words.add_argument("--sequence", type=int, default=512)
    words.add_argument("--folder", help="keep the model here from run to run")
    words.add_argument("--peer", help=argparse.SUPPRESS)
    args = words.parse_args()
    if args.peer == "prepare":
        return prepare(args)
    if args.peer:
        return train_with_transformers(args)
    args.folder = args.folder or tempfile.mkdtemp()
    again = [args.python, os.path.abspath(__file__), "--size", args.size, "--dtype", args.dtype, "--steps", str(args.steps),
             "--sequence", str(args.sequence), "--folder", args.folder]
    if not os.path.exists(f"{args.folder}/tokens.npy"):
        subprocess.run(again + ["--ranks", str(args.ranks), "--peer", "prepare"], check=True)
    for system in args.systems:
        for threads in args.threads:
            compare(args, system, threads, again)


main()
