"""Makes tests/golden/tokenizers: small tokenizer.json files of each kind that trireme reads, and digests of the ids and offsets that the
`tokenizers` library gives for the texts of hostile_text.py.

    pip install tokenizers==0.23.3
    python tests/golden/make_tokenizers.py
"""
import json
import pathlib
import struct
import zlib

import hostile_text
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent / "tokenizers"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")


def training_texts():
    return [hostile_text.mixed(seed, 300) for seed in range(1000, 1200)] + ["aaaaaaaaaaaaaaaa          \n\n\n\n"] * 500


def byte_level(pre, normalizer=None, ignore_merges=False, bos=False):
    tok = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tok.normalizer = normalizer
    tok.pre_tokenizer = pre
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(training_texts(), trainers.BpeTrainer(
        vocab_size=700, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|end|>", "<s>"]))
    steps = [processors.ByteLevel(trim_offsets=False)]
    if bos:
        steps.append(processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tok.token_to_id("<s>"))]))
    tok.post_processor = processors.Sequence(steps)
    return tok


def split_then_bytes(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def sentence_piece(first_only):
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(training_texts(), trainers.BpeTrainer(vocab_size=900, show_progress=False, limit_alphabet=300))
    learnt = json.loads(trained.to_str())["model"]
    names = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    names += [t for t, _ in sorted(learnt["vocab"].items(), key=lambda item: item[1]) if t not in names]
    tok = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(names)}, merges=[tuple(m) for m in learnt["merges"]], unk_token="<unk>",
                               fuse_unk=True, byte_fallback=True))
    tok.add_special_tokens(["<unk>", "<s>", "</s>"])
    if first_only:
        tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        tok.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tok.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return tok


def kinds():
    yield "gpt2", byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    yield "gpt2-prefix", byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True))
    yield "llama3", byte_level(split_then_bytes(LLAMA3), ignore_merges=True, bos=True)
    yield "qwen2", byte_level(split_then_bytes(QWEN2), normalizers.NFC())
    yield "o200k", byte_level(split_then_bytes(O200K), ignore_merges=True)
    yield "llama2", sentence_piece(False)
    yield "mistral", sentence_piece(True)


def byte_offsets(text, encoding):
    place = [0]
    for c in text:
        place.append(place[-1] + len(c.encode()))
    return [place[x] for pair in encoding.offsets for x in pair]


def main():
    HERE.mkdir(exist_ok=True)
    digests = {}
    for name, tok in kinds():
        (HERE / f"{name}.json").write_text(tok.to_str() + "\n")
        tok = Tokenizer.from_file(str(HERE / f"{name}.json"))
        for group, texts in hostile_text.groups():
            count = ids = decoded = 0
            for text in texts:
                encoding = tok.encode(text)
                count += len(encoding.ids)
                ids = zlib.crc32(struct.pack(f"<{len(encoding.ids)}i", *encoding.ids), ids)
                decoded = zlib.crc32(tok.decode(encoding.ids).encode(), decoded)
            digests.setdefault(name, {})[group] = dict(tokens=count, ids=ids, decoded=decoded)
        text = "Hello  world's caf\u00e9 \U0001f600\n12345 <s>x"
        encoding = tok.encode(text)
        digests[name]["offsets"] = dict(ids=encoding.ids, offsets=byte_offsets(text, encoding))
    (HERE / "digests.json").write_text(json.dumps(digests, indent=1) + "\n")


main()
