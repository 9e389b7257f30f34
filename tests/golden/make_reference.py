"""Makes reference/: a small Llama and 20 recorded steps of its training by PyTorch, for the tests and the recipe
jobs/recipes/reference-tiny-llama.yaml.

    pip install -r requirements.txt && python make_reference.py [--out reference]

One process, fp32, AdamW without weight decay or clipping, constant learning rate. Position t predicts token t + 1 of its row; the
last position is not scored. The initial weights are stored in bf16 and are exactly those values.
"""
import argparse
import copy
import json
import pathlib

import numpy as np
import torch
import transformers

STEPS, BATCH, SEQUENCE, VOCABULARY = 20, 4, 64, 256
ADAMW = dict(lr=1e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)


def make_model():
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, rms_norm_eps=1e-5, tie_word_embeddings=False, use_cache=False,
        bos_token_id=1, eos_token_id=2, rope_parameters=dict(rope_type="default", rope_theta=10000.0))
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(config).float()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16().float())
    return model


def make_tokens():
    """Small ids are more frequent, so there is something to learn."""
    generator = torch.Generator().manual_seed(1234)
    uniform = torch.rand((STEPS, BATCH, SEQUENCE), generator=generator, dtype=torch.float64)
    return (uniform.pow(3) * VOCABULARY).long().clamp_(max=VOCABULARY - 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=pathlib.Path(__file__).parent / "reference", type=pathlib.Path)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    model = make_model()
    copy.deepcopy(model).bfloat16().save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)
    tokens = make_tokens()
    np.save(out / "tokens.npy", tokens.numpy().astype(np.int32))

    optimizer = torch.optim.AdamW(model.parameters(), fused=False, foreach=False, **ADAMW)
    losses, norms = [], []
    for step in range(STEPS):
        loss = model(input_ids=tokens[step], labels=tokens[step]).loss
        loss.backward()
        losses.append(loss.item())
        norms.append(sum(p.grad.double().pow(2).sum() for p in model.parameters()).sqrt().item())
        optimizer.step()
        optimizer.zero_grad()
    record = {
        "recipe": {"optimizer": "AdamW", **ADAMW, "schedule": "constant", "gradient_clipping": None, "dtype": "float32",
                   "steps": STEPS, "global_batch": BATCH, "sequence": SEQUENCE},
        "loss": losses,
        "grad_l2": norms,
        "final_param_l2": {name: p.detach().double().norm().item() for name, p in model.named_parameters()},
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    (out / "reference.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"loss {losses[0]:.6f} -> {losses[-1]:.6f}")


if __name__ == "__main__":
    main()
