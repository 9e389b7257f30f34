"""Records AdamW as torch.optim does it in fp32 and bitsandbytes in 8 bits, and bitsandbytes' code tables.

    pip install torch==2.11.0 bitsandbytes==0.50.2
    python tests/golden/make_optimizer.py
"""

import json
import pathlib

import bitsandbytes as bnb
import bitsandbytes.backends.cpu.ops as bnb_cpu
import bitsandbytes.functional as bnb_functional
import torch


def quantise_exactly(values, code, absmax_out, out_uint8, blocksize):
    """bitsandbytes' own search for the nearest code. Its fp32 path on CPUs looks magnitudes up in a table of 2^16 steps,
    which misses the nearest code of small ones; its GPU path and this one do not."""
    out_uint8.copy_(torch.ops.bitsandbytes.quantize_blockwise(values.double(), code, blocksize)[0])
    absmax_out.copy_(torch.stack([block.abs().max() for block in values.split(blocksize)]))


bnb_cpu._quant_blockwise_fp32_direct = quantise_exactly

settings = {"learning_rate": 3e-3, "beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.1}
count, steps = 300, 5  # a whole block of states and a part of one


def gradients():
    torch.manual_seed(7)
    scales = torch.logspace(-4, 0, count)
    return [torch.randn(count) * scales for _ in range(steps)]


def record(make):
    torch.manual_seed(11)
    parameter = torch.nn.Parameter(torch.randn(count))
    first = parameter.detach().clone()
    optimizer = make(parameter)
    after = []
    for gradient in gradients():
        parameter.grad = gradient.clone()
        optimizer.step()
        after.append(parameter.detach().tolist())
    state = {name: value.tolist() for name, value in optimizer.state[parameter].items() if torch.is_tensor(value)}
    return {"first": first.tolist(), "after": [after[0], after[-1]], "state": state}


def common():
    return dict(lr=settings["learning_rate"], betas=(settings["beta1"], settings["beta2"]), eps=settings["epsilon"],
                weight_decay=settings["weight_decay"])


golden = {
    "settings": settings,
    "gradients": [gradient.tolist() for gradient in gradients()],
    "torch": record(lambda p: torch.optim.AdamW([p], foreach=False, fused=False, **common())),
    "bitsandbytes": record(lambda p: bnb.optim.AdamW8bit([p], min_8bit_size=1, **common())),
    "codes": {
        "signed": bnb_functional.create_dynamic_map(signed=True).tolist(),
        "unsigned": bnb_functional.create_dynamic_map(signed=False).tolist(),
    },
}
torch.manual_seed(3)
values = torch.randn(1024) * torch.logspace(-6, 0, 1024)
for name, signed in (("signed", True), ("unsigned", False)):
    data = values if signed else values.abs()
    codes, scales = torch.empty(data.shape, dtype=torch.uint8), torch.empty(len(data) // 256)
    quantise_exactly(data, bnb_functional.create_dynamic_map(signed=signed), scales, codes, 256)
    golden[name] = {"values": data.tolist(), "codes": codes.tolist(), "scales": scales.tolist()}
path = pathlib.Path(__file__).parent / "optimizer" / "adamw.json"
path.write_text(json.dumps(golden))
print(path, path.stat().st_size)
