"""Writes generated.json: greedy continuations by transformers of the model in reference/."""
import json
import sys

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

folder = sys.argv[1]
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
rows = []
for prompt in ("The sea was", "a b c", "Rowers of three banks"):
    ids = tokenizer.encode(prompt).ids
    out = model.generate(torch.tensor([ids]), max_new_tokens=24, do_sample=False, eos_token_id=None, pad_token_id=0)[0].tolist()
    rows.append({"prompt": prompt, "text": tokenizer.decode(out)})
open(sys.argv[2], "w").write("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
