"""Writes quantised/expected.safetensors: a weight in 4 bits by bitsandbytes 0.50.2.

The bytes of the blocks' magnitudes are the nearest codes, as its GPU kernels and its generic path give them; its C code for CPUs
looks them up in a coarser table.
"""
import sys

import bitsandbytes.functional as F
import torch
from safetensors.torch import save_file

out = {}
torch.manual_seed(0)


signed = F.create_dynamic_map(signed=True)

# NF4 in blocks of 64, the blocks' magnitudes in bytes in blocks of 256: 300 blocks, so that two of those are needed.
weight = torch.randn(60, 320) * 0.05
packed, state = F.quantize_4bit(weight, blocksize=64, quant_type="nf4", compress_statistics=False)
offset = state.absmax.mean()
centred = state.absmax - offset
padded = torch.nn.functional.pad(centred, (0, -centred.numel() % 256)).view(-1, 256)
nested = padded.abs().max(1)[0]
scaled = (padded * (1 / nested[:, None])).reshape(-1)[: centred.numel()]
coded = (scaled[:, None] - signed).abs().argmin(-1).to(torch.uint8)
compressed = F.QuantState(absmax=coded, shape=weight.shape, dtype=torch.float32, blocksize=64, code=state.code, quant_type="nf4",
                          offset=offset, state2=F.QuantState(absmax=nested, blocksize=256, code=signed, dtype=torch.float32))
out |= {"nf4.code": state.code, "nf4.weight": weight, "nf4.packed": packed.reshape(-1), "nf4.absmax": state.absmax,
        "nf4.offset": offset.reshape(1), "nf4.absmax_coded": coded, "nf4.nested": nested,
        "nf4.dequantised": F.dequantize_4bit(packed, compressed),
        "nf4.dequantised_bf16": F.dequantize_4bit(packed, F.QuantState(
            absmax=coded, shape=weight.shape, dtype=torch.bfloat16, blocksize=64, code=state.code, quant_type="nf4", offset=offset,
            state2=F.QuantState(absmax=nested, blocksize=256, code=signed, dtype=torch.float32)))}
save_file({k: v.contiguous() for k, v in out.items()}, sys.argv[1])
