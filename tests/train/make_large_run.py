#!/usr/bin/env python3
"""make_large_run.py FOLDER [STEPS [RANKS]]: a run folder as a long run of many ranks leaves it, without running it."""
import json
import math
import os
import random
import sys

folder, steps, ranks = sys.argv[1], 100000, 1000
if len(sys.argv) > 2:
    steps = int(sys.argv[2])
if len(sys.argv) > 3:
    ranks = int(sys.argv[3])
os.makedirs(f"{folder}/log", exist_ok=True)
draw = random.Random(7)
begin = 1.79e9
with open(f"{folder}/metrics.jsonl", "w") as out:
    for step in range(1, steps + 1):
        loss = 1.7 + 2.5 * math.exp(-step / (steps / 9)) + draw.gauss(0, 0.04)
        rate = 2e-4 * min(1, step / 2000) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        slow = 0.4 if step % 9973 < 40 else 1
        out.write('{"step": %d, "loss": %.9g, "tokens": %d, "tokens_per_s": %.6g, "learning_rate": %.9g, "grad_norm": %.6g, "time": %.3f, "host_bytes": %d}\n'
                  % (step, loss, 4096 * ranks, ranks * 3100 * slow * draw.uniform(0.97, 1.03), rate, abs(draw.gauss(0.6, 0.15)) + (9 if step % 31337 == 0 else 0),
                     begin + step * 1.3, (40 << 30) + step * 9000))
with open(f"{folder}/events.jsonl", "w") as out:
    def tell(step, kind, text):
        out.write(json.dumps({"time": begin + step * 1.3, "event": kind, "step": step, "text": text}) + "\n")
    tell(0, "start", f"{ranks} ranks on {ranks // 8} nodes, placement hpz")
    for step in range(steps // 300, steps, max(1, steps // 300)):
        tell(step, "save", "a checkpoint")
    for n in range(1, 12):
        step = n * steps // 12
        tell(step, "failed" if n % 3 == 0 else "stopped", f"rank {n * 77 % ranks} on n{n * 77 % ranks // 8:03d} died in reduce_scatter" if n % 3 == 0 else "a signal asked for it")
        tell(step, "resume", f"{ranks} ranks on {ranks // 8} nodes, placement hpz")
json.dump({"state": "done", "step": steps, "total_steps": steps, "loss": 1.7, "message": ""}, open(f"{folder}/status.json", "w"))
json.dump({"trireme": "0.1.0", "ranks": ranks, "nodes": ranks // 8, "first host": "n000", "processor": "a processor",
           "Slurm nodes": f"n[000-{ranks // 8 - 1:03d}]"}, open(f"{folder}/environment.json", "w"))
gib = 1 << 30
json.dump({"foretold": [{"what": what, "tier": tier, "bytes": int(size * gib)} for what, tier, size in [
    ("parameters", "device", 1.0), ("secondary copy", "device", 16.4), ("gradients", "device", 2.1), ("parameter slots", "device", 7.1),
    ("gradient slots", "device", 14.2), ("unit inputs", "device", 5.1), ("kept activations", "device", 2.1), ("working memory", "device", 4.0),
    ("master weights", "host", 2.1), ("optimizer state", "host", 4.1)]],
    "measured": {"device": int(41 * gib), "host": int(6.4 * gib), "nvme": 0}}, open(f"{folder}/memory.json", "w"))
open(f"{folder}/job.yaml", "w").write("base_model: models/llama-3-70b\nplacement: hpz\n# <script>alert('no')</script>\n")
