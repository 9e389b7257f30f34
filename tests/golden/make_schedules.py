"""Writes schedules/rates.json: the learning rate of each step as PyTorch's and transformers' schedules give it.

    pip install -r requirements.txt && python make_schedules.py
"""
import json
import math
import pathlib

import torch
import transformers
from transformers import optimization

OUT = pathlib.Path(__file__).parent / "schedules"
PEAK = 0.003


def rates(make, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    schedule = make(optimizer)
    values = []
    for step in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < steps:
            schedule.step()
    return values


def main():
    cases = []

    def add(shape, total, make, warmup=0, least_ratio=0.0, warmup_ratio=None):
        cases.append(dict(shape=shape, total=total, warmup=warmup, warmup_ratio=warmup_ratio, least_ratio=least_ratio,
                          rates=rates(make, total)))

    for total, warmup in ((20, 0), (20, 4), (37, 5)):
        add("linear", total, lambda o, t=total, w=warmup: optimization.get_linear_schedule_with_warmup(o, w, t), warmup)
        add("cosine", total, lambda o, t=total, w=warmup: optimization.get_cosine_schedule_with_warmup(o, w, t), warmup)
        add("constant_with_warmup", total, lambda o, w=warmup: optimization.get_constant_schedule_with_warmup(o, w), warmup)
        for ratio in (0.1, 0.25):
            add("cosine", total, lambda o, t=total, w=warmup, r=ratio: optimization.get_cosine_with_min_lr_schedule_with_warmup(
                o, w, t, min_lr_rate=r), warmup, ratio)
    add("constant", 12, lambda o: optimization.get_constant_schedule(o))
    # As the Trainer makes steps of a ratio.
    ratio, total = 0.031, 60
    warmup = math.ceil(total * ratio)
    add("cosine", total, lambda o: optimization.get_cosine_schedule_with_warmup(o, warmup, total), warmup, warmup_ratio=ratio)
    for total in (10, 33, 100):
        add("one_cycle", total, lambda o, t=total: torch.optim.lr_scheduler.OneCycleLR(o, PEAK, total_steps=t))
    OUT.mkdir(exist_ok=True)
    (OUT / "rates.json").write_text(json.dumps(dict(
        peak=PEAK, cases=cases, versions=dict(torch=torch.__version__, transformers=transformers.__version__))) + "\n")


main()
