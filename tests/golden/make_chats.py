"""Writes chats/expected.json: conversations as Axolotl tokenises them and masks their loss.

    pip install --no-deps --target AXOLOTL axolotl==0.19.0
    PYTHONPATH=AXOLOTL python make_chats.py          # needs transformers==5.23.0, jinja2==3.1.6, pydantic

Only Axolotl's chat strategy is used; what it imports beside (datasets, logging, configuration) has no part in the result and is stood in for.
"""
import json
import logging
import pathlib
import sys
import types


def stand_in(name, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module


def remove_none_values(value):
    if isinstance(value, dict):
        return {k: remove_none_values(v) for k, v in value.items() if v is not None}
    return [remove_none_values(v) for v in value if v is not None] if isinstance(value, list) else value


stand_in("datasets", Dataset=object)
stand_in("colorama", Fore=types.SimpleNamespace(CYAN="", RESET=""))
stand_in("axolotl.utils", __path__=[])
stand_in("axolotl.utils.logging", get_logger=logging.getLogger)
stand_in("axolotl.utils.chat_templates", get_chat_template_from_config=None)
stand_in("axolotl.utils.dict", remove_none_values=remove_none_values)
stand_in("axolotl.utils.schemas", __path__=[])
stand_in("axolotl.utils.schemas.datasets", DatasetConfig=object)

from axolotl.prompt_strategies.chat_template import ChatTemplatePrompter, ChatTemplateStrategy  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402

import make_templates as golden  # noqa: E402

HERE = pathlib.Path(__file__).parent
OPENAI = [
    {"messages": golden.SIMPLE}, {"messages": golden.SIMPLE + golden.SIMPLE}, {"messages": golden.THINKS}, {"messages": golden.REASONED},
    {"messages": golden.SYSTEM}, {"messages": golden.CALLS, "tools": golden.TOOLS},
    {"messages": [{"role": "user", "content": "Say nothing.", "name": None}, {"role": "assistant", "content": " \n spaces around \t"}]},
    {"messages": [{"role": "user", "content": "aa"}, {"role": "assistant", "content": "aa"}, {"role": "user", "content": "aa"}, {"role": "assistant", "content": "aaa"}]},
    {"system": "Be kind.", "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "ü👩‍👩‍👧\n\n", "training": False},
                                        {"role": "user", "content": "y", "training": True}, {"role": "assistant", "content": "<|user|>\nassistant"}]},
]
SHAREGPT = [{"conversations": [{"from": "human", "value": "What is 1+1?"}, {"from": "gpt", "value": "It is 2."},
                               {"from": "human", "value": "Sure?"}, {"from": "gpt", "value": "Yes, \"quite\"."}]},
            {"conversations": [{"from": "system", "value": "You count."}, {"from": "human", "value": "1"}, {"from": "gpt", "value": "2"}]}]
KINDS = [
    {}, {"roles_to_train": ["assistant", "user"]}, {"train_on_eos": "all"}, {"train_on_eos": "last"}, {"train_on_eos": "none"},
    {"message_field_training": "training"}, {"drop_system_message": True}, {"train_on_inputs": True},
    {"eot_tokens": ["<|end|>"], "eos_token": "<s>"},
    {"sharegpt": True},
]
TEMPLATES = {"llama2.json": ("llama2.jinja", "mistral.jinja", "zephyr.jinja"), "llama3.json": ("phi3.jinja", "llama31.jinja"),
             "qwen2.json": ("qwen25.jinja", "qwen3.jinja", "gemma.jinja", "chatml.jinja", "zephyr.jinja")}
ENDS = {"llama2.json": "</s>", "llama3.json": "<|end|>", "qwen2.json": "<|end|>"}


def main():
    out = HERE / "chats"
    out.mkdir(exist_ok=True)
    for name, rows in (("openai.jsonl", OPENAI), ("sharegpt.jsonl", SHAREGPT)):
        (out / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    cases = []
    for tokenizer_name, templates in TEMPLATES.items():
        for template in templates:
            source = (HERE / "templates" / template).read_text(encoding="utf-8")
            for kind in KINDS:
                sharegpt = kind.get("sharegpt", False)
                if "eot_tokens" in kind and template != "phi3.jinja":
                    continue
                bos, eos = "<s>", kind.get("eos_token", ENDS[tokenizer_name])
                tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(HERE / "tokenizers" / tokenizer_name), bos_token=bos, eos_token=eos)
                prompter = ChatTemplatePrompter(
                    tokenizer, source, field_messages="conversations" if sharegpt else "messages",
                    message_property_mappings={"role": "from", "content": "value"} if sharegpt else {"role": "role", "content": "content"},
                    message_field_training=kind.get("message_field_training"), drop_system_message=kind.get("drop_system_message", False))
                strategy = ChatTemplateStrategy(
                    prompter, tokenizer=tokenizer, train_on_inputs=kind.get("train_on_inputs", False), sequence_len=4096,
                    roles_to_train=kind.get("roles_to_train", ["assistant"]), train_on_eos=kind.get("train_on_eos", "turn"),
                    eot_tokens=kind.get("eot_tokens"))
                documents = []
                for row in SHAREGPT if sharegpt else OPENAI:
                    try:
                        tokens = strategy.tokenize_prompt(json.loads(json.dumps(row)))
                        documents.append({"ids": list(tokens["input_ids"]), "scored": [int(label != -100) for label in tokens["labels"]]})
                    except Exception:  # the template refuses these messages; so must trireme
                        documents.append(None)
                cases.append({"tokenizer": tokenizer_name, "template": template, "rows": "sharegpt.jsonl" if sharegpt else "openai.jsonl",
                              "bos_token": bos, "eos_token": eos, **kind, "documents": documents})
    (out / "expected.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    print(len(cases), "cases,", sum(d is None for c in cases for d in c["documents"]), "refused of", sum(len(c["documents"]) for c in cases))


if __name__ == "__main__":
    main()
