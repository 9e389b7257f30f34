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

FALCON = dict(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_hidden_size=48, alibi=False,
              max_position_embeddings=64, use_cache=False, bos_token_id=1, eos_token_id=2, initializer_range=0.2)

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
    "gemma2": ("Gemma2", {**SMALL, "head_dim": 12, "sliding_window": 7, "query_pre_attn_scalar": 20,
                          "attn_logit_softcapping": 3.0, "final_logit_softcapping": 5.0}),
    "gemma3": ("Gemma3Text", {**SMALL, "num_hidden_layers": 3, "head_dim": 12, "sliding_window": 7, "query_pre_attn_scalar": 20,
                              "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
                              "rope_parameters": {"full_attention": dict(rope_type="linear", rope_theta=1e6, factor=8.0),
                                                  "sliding_attention": dict(rope_type="default", rope_theta=10000.0)}}),
    "phi3": ("Phi3", {**SMALL, "sliding_window": 9, "pad_token_id": 0, "tie_word_embeddings": False}),
    "falcon": ("Falcon", {**FALCON, "multi_query": True}),
    "falcon-grouped": ("Falcon", {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2, "bias": True}),
    "falcon-serial": ("Falcon", {**FALCON, "multi_query": False, "parallel_attn": False}),
    "mixtral": ("Mixtral", {**SMALL, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": None}),
    "mixtral-balance": ("Mixtral", {**SMALL, "num_hidden_layers": 1, "num_local_experts": 4, "num_experts_per_tok": 2,
                                    "output_router_logits": True, "router_aux_loss_coef": 0.5}),
}
CLASSES = {"GPT2": ("GPT2Config", "GPT2LMHeadModel"), "Gemma3Text": ("Gemma3TextConfig", "Gemma3ForCausalLM")}
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


def stored_gradients(model):
    """By the names of the files: transformers holds the experts of a layer as one tensor, the files hold them one by one."""
    for name, parameter in model.named_parameters():
        stem = name.replace(".mlp.", ".block_sparse_moe.")
        if name.endswith(".experts.gate_up_proj"):
            for i, expert in enumerate(parameter.grad):
                gate, up = expert.chunk(2)
                yield stem.replace("gate_up_proj", f"{i}.w1.weight"), gate
                yield stem.replace("gate_up_proj", f"{i}.w3.weight"), up
        elif name.endswith(".experts.down_proj"):
            for i, expert in enumerate(parameter.grad):
                yield stem.replace("down_proj", f"{i}.w2.weight"), expert
        else:
            yield (stem if ".mlp.gate.weight" in name else name), parameter.grad


def samples(tensor):
    flat = tensor.flatten()
    return flat[:: max(1, flat.numel() // 64)][:64].clone()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=pathlib.Path(__file__).parent / "models", type=pathlib.Path)
    parser.add_argument("--only", nargs="*", help="make these cases alone")
    arguments = parser.parse_args()
    out, only = arguments.out, arguments.only
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for seed, (name, (kind, settings)) in enumerate(CASES.items()):
        if only and name not in only:
            continue
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
        for key, gradient in stored_gradients(model):
            expected[f"norm/{key}"] = gradient.double().norm()
            expected[f"samples/{key}"] = samples(gradient)
        save_file(expected, folder / "expected.safetensors")
        print(f"{name}: loss {result.loss.item():.6f}, {sum(p.numel() for p in model.parameters())} parameters")


if __name__ == "__main__":
    main()
