"""Writes prompts/expected.json: ids and masks of instruction rows, tokenised piece by piece with the tokenizers library.

    python make_prompts.py            # needs tokenizers==0.23.3

The rules are Axolotl's: a prompt is tokenised with the tokenizer's special tokens, the output without them and with the end token
behind it, and the ids are joined; prompts are scored only where asked for.
"""
import json
import pathlib

from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent
ALPACA = ("Below is an instruction that describes a task, paired with an input that provides further context. Write a response that "
          "appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n",
          "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
          "### Instruction:\n{instruction}\n\n### Response:\n")
CUSTOM = {"system_prompt": "Answer briefly.\n", "format": "<q>{instruction}</q> ({input})\n", "no_input_format": "<q>{instruction}</q>\n",
          "field_output": "answer"}
ROWS = [
    {"instruction": "Name a planet.", "input": "", "output": "Mars.", "answer": "Mars", "text": "Mars is a planet."},
    {"instruction": "Add {x} and {y}.", "input": "x = 1, y = 2", "output": "3", "answer": "3", "text": "1 + 2 = 3"},
    {"instruction": "Übersetze: 你好 👩‍👩‍👧", "output": "  hello\n", "answer": "hello ", "text": "\tनमस्ते दुनिया\n\n"},
    {"instruction": "Say nothing.", "input": None, "output": "", "answer": "", "text": "x"},
]
SEGMENTS = [{"segments": [{"text": "<s>Q: a\n", "label": False}, {"text": "A: b", "label": True}, {"text": " end", "label": False}]}]


def pieces_of(row, kind, train_on_inputs):
    if kind == "completion":
        return [(row["text"], True, True, True)]
    if kind == "input_output":
        return [(s["text"], s["label"], False, False) for s in row["segments"]]
    with_input, without = ALPACA if kind == "alpaca" else (CUSTOM["format"], CUSTOM["no_input_format"])
    system = "" if kind == "alpaca" else CUSTOM["system_prompt"]
    given = row.get("input") or ""
    prompt = system + (with_input if given else without).replace("{instruction}", "\0").replace("{input}", given).replace("\0", row["instruction"])
    return [(prompt, train_on_inputs, True, False), (row["output" if kind == "alpaca" else CUSTOM["field_output"]], True, False, True)]


def document(tokenizer, end, pieces):
    ids, scored = [], []
    for text, score, begins, ends in pieces:
        ids += tokenizer.encode(text, add_special_tokens=begins).ids
        if ends and (not ids or ids[-1] != end):
            ids.append(end)
        scored += [int(score)] * (len(ids) - len(scored))
    return {"ids": ids, "scored": scored}


def main():
    out = HERE / "prompts"
    out.mkdir(exist_ok=True)
    for name, rows in (("rows.jsonl", ROWS), ("segments.jsonl", SEGMENTS)):
        (out / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    cases = []
    for name, end in (("llama2.json", "</s>"), ("llama3.json", "<|end|>"), ("qwen2.json", "<|end|>")):
        tokenizer = Tokenizer.from_file(str(HERE / "tokenizers" / name))
        for kind in ("alpaca", "completion", "input_output", CUSTOM):
            for train_on_inputs in (False, True) if kind == "alpaca" else (False,):
                file, rows = ("segments.jsonl", SEGMENTS) if kind == "input_output" else ("rows.jsonl", ROWS)
                documents = [document(tokenizer, tokenizer.token_to_id(end), pieces_of(row, kind if isinstance(kind, str) else "custom", train_on_inputs))
                             for row in rows]
                cases.append({"tokenizer": name, "end_token": end, "type": kind, "train_on_inputs": train_on_inputs, "rows": file,
                              "documents": documents})
    (out / "expected.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


main()
