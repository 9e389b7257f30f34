"""Makes the small models that the tests of src/model compare with, by transformers.

    pip install -r requirements.txt && python make_models.py [--out models]

For each case a Hugging Face folder (config.json, safetensors in bf16 with values that fp32 holds exactly) and
expected.safetensors: tokens and labels (not shifted; -100 is not scored), fp32 logits and mean loss, and for each gradient its
L2 norm and up to 64 evenly spaced values.
"""
import argparse
import copy
import json
import pathlib
import shutil

import torch
import transformers
from safetensors.torch import save_file

BATCH, SEQUENCE, VOCABULARY = 2, 24, 72
SMALL = dict(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, use_cache=False, bos_token_id=1, eos_token_id=2,
             initializer_range=0.2)
LLAMA3_ROPE = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=16)

CASES = {
    "llama2": ("Llama", {**SMALL, "num_key_value_heads": 4, "tie_word_embeddings": False}),
    "llama31": ("Llama", {**SMALL, "tie_word_embeddings": False, "rope_parameters": LLAMA3_ROPE}),
    "llama32-tied": ("Llama", {**SMALL, "tie_word_embeddings": True, "rope_parameters": LLAMA3_ROPE}),
    "llama-biases": ("Llama", {**SMALL, "head_dim": 12, "attention_bias": True, "mlp_bias": True, "hidden_act": "gelu",
                               "rope_parameters": dict(rope_type="linear", rope_theta=10000.0, factor=2.0)}),
    "mistral": ("Mistral", {**SMALL, "sliding_window": 7, "head_dim": 16}),
    "qwen2": ("Qwen2", {**SMALL, "tie_word_embeddings": True}),
    "qwen2-window": ("Qwen2", {**SMALL, "use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}),
    "qwen3": ("Qwen3", {**SMALL, "head_dim": 16}),
    "gpt2": ("GPT2", dict(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=40, use_cache=False,
                          initializer_range=0.2, bos_token_id=1, eos_token_id=2)),
}
CLASSES = {"GPT2": ("GPT2Config", "GPT2LMHeadModel")}
SHARDED = {"llama31"}
OLD_ROPE_SPELLING = {"llama2", "llama31"}


def make_model(kind, settings, seed):
    config_class, model_class = CLASSES.get(kind, (f"{kind}Config", f"{kind}ForCausalLM"))
    config = getattr(transformers, config_class)(**settings, attn_implementation="eager")
    torch.manual_seed(seed)
    model = getattr(transformers, model_class)(config).float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                # Norm scales and biases start at 1 and 0, where mistakes do not show.
                parameter.add_(0.2 * torch.randn_like(parameter))
            parameter.copy_(parameter.bfloat16().float())
    return model


def respell_rope(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    path.write_text(json.dumps(config, indent=2) + "\n")


def save_model(model, name, folder):
    shards = dict(max_shard_size="20KB") if name in SHARDED else {}
    copy.deepcopy(model).bfloat16().save_pretrained(folder, **shards)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if name in OLD_ROPE_SPELLING:
        respell_rope(folder)


def samples(tensor):
    flat = tensor.flatten()
    return flat[:: max(1, flat.numel() // 64)][:64].clone()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=pathlib.Path(__file__).parent / "models", type=pathlib.Path)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for seed, (name, (kind, settings)) in enumerate(CASES.items()):
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        model = make_model(kind, settings, seed)
        save_model(model, name, folder)
        generator = torch.Generator().manual_seed(1000 + seed)
        tokens = torch.randint(0, VOCABULARY, (BATCH, SEQUENCE), generator=generator)
        labels = tokens.masked_fill(torch.rand(tokens.shape, generator=generator) < 0.25, -100)
        result = model(input_ids=tokens, labels=labels)
        result.loss.backward()
        expected = {"tokens": tokens, "labels": labels, "logits": result.logits.detach(), "loss": result.loss.detach()}
        for key, parameter in model.named_parameters():
            expected[f"norm/{key}"] = parameter.grad.double().norm()
            expected[f"samples/{key}"] = samples(parameter.grad)
        save_file(expected, folder / "expected.safetensors")
        print(f"{name}: loss {result.loss.item():.6f}, {sum(p.numel() for p in model.parameters())} parameters")


if __name__ == "__main__":
    main()
