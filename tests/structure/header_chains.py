#!/usr/bin/env python3
"""header_chains.py FOLDER ROOT ROOM…: files that show for each header of the rooms that it compiles alone.

A header may follow others in one file if these give it nothing that it does not include itself: they have read no
library header that it does not read, and no header of ours that declares a name which it uses. Then it compiles
after them just when it compiles alone, and the libraries' headers are read once for all of them.
Writes FOLDER/<first header>.cpp for each chain and FOLDER/chains.txt, a line each; whatever stays the same is left untouched.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include ([<"])([^>"]+)[>"]', re.M)
FORWARD = re.compile(r"^(?:class|struct|enum class) (\w+);", re.M)
OPEN = re.compile(r"^[^\s/#}].*", re.M)  # declarations of a namespace are not indented
DECLARED = re.compile(r"\b(\w+)(?=\(| =|\{|;|\[| \{| :|$)")
SURROUNDINGS = re.compile(r"^(?:template <>|#\s*(?:if|define))", re.M)  # these reach where no name tells of them
COMMENT = re.compile(r"//.*")


class Header:
    def __init__(self, text):
        text = COMMENT.sub("", text)
        found = INCLUDE.findall(text)
        self.own = {name for kind, name in found if kind == '"'}
        self.library = {name for kind, name in found if kind == "<"}
        self.words = set(re.findall(r"\w+", text))
        self.declared = {name for line in OPEN.findall(text) for name in DECLARED.findall(line)} - {"trireme", "std"}
        self.forward = set(FORWARD.findall(text))
        self.surrounds = bool(SURROUNDINGS.search(text))


def close(headers):
    """Makes `own` and `library` of each header all that it reads, itself among them."""
    done = set()

    def visit(name):
        if name in done:
            return
        done.add(name)
        header = headers[name]
        for other in list(header.own & headers.keys()):
            visit(other)
            header.own |= headers[other].own
            header.library |= headers[other].library
        header.own.add(name)

    for name in headers:
        visit(name)


def tells_nothing(extra, header, headers):
    """Whether a header of ours that `header` does not include leaves it as it is."""
    if extra not in headers or headers[extra].surrounds:
        return False
    promised = set().union(*(headers[name].forward for name in header.own & headers.keys()))
    return not headers[extra].declared & (header.words | promised)


def chains_of(headers):
    chains = []
    for name in sorted(headers, key=lambda name: (len(headers[name].library), len(headers[name].own), name)):
        header, best = headers[name], None
        for chain in chains if not header.surrounds else ():
            fits = chain["library"] <= header.library and all(tells_nothing(extra, header, headers) for extra in chain["own"] - header.own)
            if fits and (best is None or len(chain["library"]) > len(best["library"])):
                best = chain
        if best is None:
            chains.append({"headers": [name], "own": set(header.own), "library": header.library})
        else:
            best["headers"].append(name)
            best["own"] |= header.own
            best["library"] = header.library
    return [chain["headers"] for chain in chains]


def write(path, text):
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main(folder, root, *rooms):
    root, folder = pathlib.Path(root), pathlib.Path(folder)
    headers = {}
    for room in rooms:
        for path in sorted((root / room).rglob("*.h")):
            headers[str(path.relative_to(root)).removeprefix("src/")] = Header(path.read_text())
    close(headers)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for chain in chains_of(headers):
        file = chain[0].replace("/", "__") + ".cpp"
        write(folder / file, "".join(f'#include "{name}"\n' * 2 for name in chain))
        lines.append(" ".join([file, *chain]) + "\n")
    write(folder / "chains.txt", "".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
