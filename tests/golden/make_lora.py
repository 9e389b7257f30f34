"""Makes lora/: an adapter as peft writes it, over reference/, and 10 recorded steps of its training by PyTorch and peft.

    pip install -r requirements.txt peft==0.21.2 && python make_lora.py
    python make_lora.py --check MODEL ADAPTER MERGED   # does peft read an adapter of ours, and is it what was merged?

One process, fp32, AdamW, constant rate, no dropout; every linear layer of the blocks has an adapter.
"""
import argparse
import json
import pathlib
import shutil

import numpy as np
import peft
import torch
import transformers

HERE = pathlib.Path(__file__).parent
STEPS, ADAMW = 10, dict(lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)


def base_model(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def make():
    torch.set_num_threads(1)
    torch.manual_seed(3)
    out = HERE / "lora"
    shutil.rmtree(out, ignore_errors=True)
    config = peft.LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(base_model(HERE / "reference"), config)
    with torch.no_grad():  # B is zero in a fresh adapter, which hides mistakes
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.02 * torch.randn_like(parameter))
    model.save_pretrained(out)
    (out / "README.md").unlink(missing_ok=True)
    tokens = torch.tensor(np.load(HERE / "reference" / "tokens.npy").astype(np.int64))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], fused=False, foreach=False, **ADAMW)
    losses = []
    for step in range(STEPS):
        loss = model(input_ids=tokens[step], labels=tokens[step]).loss
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
    record = {"loss": losses, "lr": ADAMW["lr"],
              "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}}
    (out / "expected.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"loss {losses[0]:.6f} -> {losses[-1]:.6f}")


def check(base, adapter, merged):
    tokens = torch.tensor(np.load(HERE / "reference" / "tokens.npy").astype(np.int64))[0]
    with torch.no_grad():
        ours = peft.PeftModel.from_pretrained(base_model(base), adapter)(input_ids=tokens).logits
        whole = base_model(merged)(input_ids=tokens).logits
        plain = base_model(base)(input_ids=tokens).logits
    print(f"adapter against merged: {(ours - whole).abs().max().item():.3g}; against the base: {(ours - plain).abs().max().item():.3g}")


parser = argparse.ArgumentParser()
parser.add_argument("--check", nargs=3, metavar=("MODEL", "ADAPTER", "MERGED"))
arguments = parser.parse_args()
check(*arguments.check) if arguments.check else make()
