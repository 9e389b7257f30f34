"""Writes io/tokenizer/unicode_tables.inc: the character classes and normal forms that the `tokenizers` library works with, asked of the
library itself code point by code point, so that its Unicode version is ours.

    pip install tokenizers==0.23.3
    python tests/golden/make_unicode_tables.py > io/tokenizer/unicode_tables.inc
"""
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ranges(pattern):
    """Code points that match a one-character pattern, as inclusive ranges."""
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    found = []
    for base in range(0, len(POINTS), 4096):
        chunk = POINTS[base:base + 4096]
        kept = set()
        for piece, _ in split.pre_tokenize_str("".join(map(chr, chunk))):
            kept.update(map(ord, piece))
        found += [c for c in chunk if c not in kept]
    out = []
    for c in found:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def write_ranges(name, pattern):
    rows = ranges(pattern)
    print(f"constexpr Range {name}[] = {{")
    line = "   "
    for first, last in rows:
        item = f" {{{first:#x}, {last:#x}}},"
        if len(line) + len(item) > 108:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};\n")


def write_decompositions():
    nfd, nfc = normalizers.NFD(), normalizers.NFC()
    rows = []
    for c in POINTS:
        if 0xAC00 <= c < 0xD7A4:  # Hangul syllables follow a formula
            continue
        text = nfd.normalize_str(chr(c))
        if text != chr(c):
            parts = [ord(x) for x in text]
            assert len(parts) <= 4, hex(c)
            rows.append((c, parts, nfc.normalize_str(chr(c)) == chr(c)))
    # One step of decomposition is what composition needs: the composed prefix and the last mark.
    print("// Code point, its full canonical decomposition, and the pair that composes to it (0, 0: never composed).")
    print("constexpr Decomposition decompositions[] = {")
    for c, parts, stays in rows:
        pair = (0, 0)
        if stays and len(parts) >= 2:
            first = nfc.normalize_str("".join(map(chr, parts[:-1])))
            if len(first) == 1:
                pair = (ord(first), parts[-1])
                assert nfc.normalize_str(chr(pair[0]) + chr(pair[1])) == chr(c), hex(c)
        cells = ", ".join(f"{x:#x}" for x in parts + [0] * (4 - len(parts)))
        print(f"    {{{c:#x}, {{{cells}}}, {pair[0]:#x}, {pair[1]:#x}}},")
    print("};\n")


def moves(c, nfd):
    return nfd.normalize_str("a" + c + chr(0x334)) == "a" + chr(0x334) + c or nfd.normalize_str("a" + chr(0x345) + c) == "a" + c + chr(0x345)


def combining_class(c, nfd, witnesses):
    """From how NFD orders c beside a mark of each class; 0 where it does not move."""
    if not moves(c, nfd):
        return 0
    below = [k for k, w in witnesses if nfd.normalize_str("a" + c + w) == "a" + w + c and c != w]  # classes lower than c's
    above = [k for k, w in witnesses if nfd.normalize_str("a" + w + c) == "a" + c + w and c != w]
    own = [k for k, _ in witnesses if k not in below and k not in above]
    assert len(own) == 1, (hex(ord(c)), own)
    return own[0]


def write_combining_classes():
    nfd = normalizers.NFD()
    witnesses = {}
    for c in map(chr, POINTS):
        k = unicodedata.combining(c)
        if k and nfd.normalize_str(c) == c and moves(c, nfd):
            witnesses.setdefault(k, c)
    witnesses = sorted(witnesses.items())
    print("// Inclusive ranges of code points with a canonical combining class that is not zero.")
    print("constexpr CombiningRange combining[] = {")
    rows = []
    for c in POINTS:
        if nfd.normalize_str(chr(c)) != chr(c):
            continue
        k = combining_class(chr(c), nfd, witnesses)
        if not k:
            continue
        if rows and rows[-1][1] == c - 1 and rows[-1][2] == k:
            rows[-1][1] = c
        else:
            rows.append([c, c, k])
    for first, last, k in rows:
        print(f"    {{{first:#x}, {last:#x}, {k}}},")
    print("};")


print("// Made by tests/golden/make_unicode_tables.py with tokenizers 0.23.3; do not edit.\n")
write_ranges("letters", r"\p{L}")
write_ranges("numbers", r"\p{N}")
write_ranges("spaces", r"\s")
write_ranges("marks", r"\p{M}")
write_decompositions()
write_combining_classes()
