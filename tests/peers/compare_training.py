#!/usr/bin/env python3
"""Training on one rank: `trireme train` and transformers with PyTorch in turns, on the same weights and tokens.

python tests/peers/compare_training.py --python PYTHON --trireme build/release/bin/trireme --threads 1 2

--python is one with torch, transformers and safetensors. Prints tokens/s (median of the steps after the second, of all rounds), the
peak of resident memory and the losses' worst relative difference.
"""
import argparse
import json
import os
import resource
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


def prepare(size, folder, steps, sequence):
    import numpy
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(**SIZES[size], max_position_embeddings=2048, rms_norm_eps=1e-5, tie_word_embeddings=False, use_cache=False)
    LlamaForCausalLM(config).float().save_pretrained(folder)
    uniform = numpy.random.default_rng(1234).random((steps, 1, sequence))
    numpy.save(f"{folder}/tokens.npy", (uniform**3 * config.vocab_size).astype(numpy.int32))


def train_with_transformers(folder, dtype):
    import numpy
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.train()
    rule = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0, fused=True)
    losses, times = [], []
    for row in torch.from_numpy(numpy.load(f"{folder}/tokens.npy")).long():
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "bf16"):
            loss = model(input_ids=row, labels=row).loss
        loss.backward()
        rule.step()
        rule.zero_grad(set_to_none=True)
        losses.append(loss.item())
        times.append(time.perf_counter() - start)
    print(json.dumps({"losses": losses, "rates": [row.numel() / t for t in times],
                      "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def train_with_trireme(trireme, folder, dtype, environment, sequence):
    with tempfile.TemporaryDirectory() as run:
        job = f"{run}/job.yaml"
        with open(job, "w") as out:
            out.write(f"base_model: {folder}\ndatasets:\n  - path: {folder}/tokens.npy\n    type: tokens\noutput_dir: {run}/out\n"
                      f"shuffle_merged_datasets: false\nsequence_len: {sequence}\nmicro_batch_size: 1\nlearning_rate: 0.0001\n"
                      f"lr_scheduler: constant\nmax_grad_norm: 0.0\nbf16: {'true' if dtype == 'bf16' else 'false'}\n")
        child = subprocess.Popen([trireme, "train", job], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = child.stderr.read()
        _, status, use = os.wait4(child.pid, 0)
        if status:
            sys.exit(said)
        lines = [json.loads(line) for line in open(f"{run}/out/metrics.jsonl")]
        # Rates are of scored tokens; the first of a row is not.
        scale = sequence / (sequence - 1)
        return {"losses": [l["loss"] for l in lines], "rates": [l["tokens_per_s"] * scale for l in lines],
                "peak_mib": use.ru_maxrss / 1024}


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--python", default=sys.executable)
    words.add_argument("--trireme", default="build/release/bin/trireme")
    words.add_argument("--size", default="small", choices=SIZES)
    words.add_argument("--dtype", default="bf16", choices=["bf16", "fp32"])
    words.add_argument("--threads", type=int, nargs="+", default=[1])
    words.add_argument("--rounds", type=int, default=2)
    words.add_argument("--steps", type=int, default=6)
    words.add_argument("--sequence", type=int, default=512)
    words.add_argument("--folder", help="keep the model here from run to run")
    words.add_argument("--peer", help=argparse.SUPPRESS)
    args = words.parse_args()
    if args.peer == "prepare":
        return prepare(args.size, args.folder, args.steps, args.sequence)
    if args.peer == "train":
        return train_with_transformers(args.folder, args.dtype)
    folder = args.folder or tempfile.mkdtemp()
    again = [args.python, os.path.abspath(__file__), "--size", args.size, "--dtype", args.dtype, "--steps", str(args.steps),
             "--sequence", str(args.sequence), "--folder", folder, "--peer"]
    if not os.path.exists(f"{folder}/tokens.npy"):
        subprocess.run(again + ["prepare"], check=True)
    for threads in args.threads:
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
        found = {"trireme": [], "transformers": []}
        for _ in range(args.rounds):
            found["trireme"].append(train_with_trireme(args.trireme, folder, args.dtype, environment, args.sequence))
            text = subprocess.run(again + ["train"], env=environment, capture_output=True, text=True, check=True).stdout
            found["transformers"].append(json.loads(text.splitlines()[-1]))
        rate = {name: statistics.median(r for run in runs for r in run["rates"][2:]) for name, runs in found.items()}
        peak = {name: max(run["peak_mib"] for run in runs) for name, runs in found.items()}
        apart = max(abs(a / b - 1) for a, b in zip(found["trireme"][0]["losses"], found["transformers"][0]["losses"]))
        print(f"{args.size} {args.dtype} {threads} threads: trireme {rate['trireme']:.0f} tokens/s, {peak['trireme']:.0f} MiB; transformers "
              f"{rate['transformers']:.0f} tokens/s, {peak['transformers']:.0f} MiB; ratio {rate['trireme'] / rate['transformers']:.2f}, "
              f"memory {peak['trireme'] / peak['transformers']:.2f}; losses within {apart:.1e}", flush=True)


main()
