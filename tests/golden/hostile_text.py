"""Texts that tokenizers disagree about, the same letter for letter as tests/io/hostile_text.cpp makes them."""


class Draw:
    """The same 64-bit linear congruential numbers in Python and C++."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        return (self.state >> 33) % n


# What a mixed text is drawn from: (first code point, last code point), or a word as it stands.
RANGES = [(0x61, 0x7A), (0x41, 0x5A), (0x30, 0x39), (0x21, 0x2F), (0xC0, 0x17F), (0x300, 0x36F), (0x391, 0x3C9), (0x410, 0x44F),
          (0x5D0, 0x5EA), (0x621, 0x64A), (0x64B, 0x652), (0x660, 0x669), (0x905, 0x94D), (0xE01, 0xE4E), (0x1100, 0x1112),
          (0x1161, 0x1175), (0x11A8, 0x11C2), (0x1E00, 0x1EFF), (0x2000, 0x206F), (0x2150, 0x218F), (0x3000, 0x3002), (0x3041, 0x3096),
          (0x4E00, 0x4EFF), (0xAC00, 0xACFF), (0xFB00, 0xFB06), (0xFF10, 0xFF19), (0x1D400, 0x1D433), (0x1F1E6, 0x1F1FF),
          (0x1F600, 0x1F64F), (0x20000, 0x200FF), (0xE0100, 0xE010F)]
WORDS = [" ", "  ", "   ", "\n", "\r\n", "\n\n", "\t", " \n", "\n ", "'s", "'T", "'re", "'VE", "'ll", "'\u017f", "don't", " the", " and",
         "\u00a0", "\u2028", "\u3000", "\u200d", "\ufe0f", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "<s>",
         "</s>", "<|end|>", "<|end", "\u2581", "e\u0301", "\u1100\u1161\u11a8", "12345", "3.14159", "0x1F", "def f(x):\n    return x\n",
         "for (int i = 0; i < n; ++i) {\n\ta[i] += b[i];\n}\n", "https://example.org/a?b=c&d=%20", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
         "\u4f60\u597d\u4e16\u754c", "\u00e9t\u00e9", "...", "!!!", "----", "\x00", "\x1f", "\x7f", "\u0085", "\ufeff", "\U0010ffff"]


def mixed(seed, pieces):
    draw, out = Draw(seed), []
    for _ in range(pieces):
        if draw.below(3) == 0:
            out.append(WORDS[draw.below(len(WORDS))])
        else:
            first, last = RANGES[draw.below(len(RANGES))]
            for _ in range(1 + draw.below(6)):
                out.append(chr(first + draw.below(last - first + 1)))
    return "".join(out)


def planes():
    """Every code point, 64 to a text."""
    for base in range(0, 0x110000, 64):
        if not 0xD800 <= base < 0xE000:
            yield "".join(map(chr, range(base, base + 64)))


def groups():
    """Name and texts of each group; one digest a group is committed."""
    yield "planes", planes()
    yield "mixed", (mixed(seed, 400) for seed in range(400))
    yield "one letter", ["a" * 1_000_000]
    yield "blanks", [" " * 1_000_000]
    yield "newlines", ["\n" * 100_000 + " \n" * 100_000]
    yield "one long word", ["".join(chr(0x61 + d) for d in (lambda g: [g.below(26) for _ in range(300_000)])(Draw(7)))]
    yield "digits", ["1234567890" * 20_000]
    yield "emoji", ["\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f3fd" * 20_000]
    yield "marks", ["e" + "\u0301\u0323" * 50_000]
