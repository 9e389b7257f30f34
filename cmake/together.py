#!/usr/bin/env python3
"""together.py MOST FILE…: which files can be compiled as one: a line each, with the number of its group before it.

Two files can when no alias and no name in their unnamed namespaces is the same and neither defines macros.
"""
import pathlib
import re
import sys

PRIVATE = re.compile(r"^namespace \{$(.*?)^\}  // namespace$", re.M | re.S)
NAMED = re.compile(r"^(?:(?:struct|class|enum class|using|namespace) (\w+)|[^\s/#}].*?\b(\w+)(?=\(| =|\{|;|\[))", re.M)
CONSTANTS = re.compile(r"^constexpr .*", re.M)
ALIAS = re.compile(r"^(?:using|namespace) (\w+) =", re.M)
ALONE = re.compile(r"foreach_target\.h|^#define ", re.M)


def batches(paths, flags_of, most):
    """Files with the same flags, at most so many, and no two that keep the same name to themselves."""
    made = []
    for path in paths:
        text = path.read_text()
        names = {name for part in PRIVATE.findall(text) for match in NAMED.findall(part) for name in match if name}
        names.update(name for line in CONSTANTS.findall(text) for name in re.findall(r"(\w+) =", line))
        names.update(ALIAS.findall(text))
        alone = ALONE.search(text)
        flags = None if alone else flags_of(path)
        for batch in made:
            if not alone and len(batch["paths"]) < most and batch["flags"] == flags and not batch["names"] & names:
                batch["paths"].append(path)
                batch["names"] |= names
                break
        else:
            made.append({"paths": [path], "names": names, "flags": flags})
    return [batch["paths"] for batch in made]


if __name__ == "__main__":
    for group, batch in enumerate(batches([pathlib.Path(name) for name in sys.argv[2:]], lambda path: "", int(sys.argv[1]))):
        for path in batch:
            print(group, path)
