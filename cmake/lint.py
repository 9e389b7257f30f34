#!/usr/bin/env python3
"""lint.py BUILD CLANG_TIDY MEMORY [-j N] [FILE…]: clang-tidy over the files of BUILD's compile commands.

A file found clean is remembered in the folder MEMORY by what it was made of, and not looked at again until that changes, so an
interrupted run goes on where it was. Nearly all the time goes into reading other people's headers, so files with the same flags
are read together, as long as they do not name the same thing differently. Ends with 1 and the list where anything was found.
"""
import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

import together

INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.M)
TOGETHER = 16
CANNOT_BE_READ = "clang-tidy cannot read this"
FINDING = re.compile(r"^(?P<place>[^\s:][^:]*:\d+:\d+): (?:warning|error): (?P<what>.*)$")


class Sources:
    """What each file is made of, as far as it lies in the project."""

    def __init__(self, root):
        self.root = root

    @functools.lru_cache(maxsize=None)
    def digest(self, path):
        return hashlib.sha256(path.read_bytes()).digest()

    @functools.lru_cache(maxsize=None)
    def included(self, path):
        found = []
        for name in INCLUDE.findall(path.read_bytes()):
            for folder in (self.root, self.root / "src", path.parent):
                header = folder / name.decode()
                if header.is_file():
                    found.append(header)
                    break
        return found

    def closure(self, path):
        seen, left = {path}, [path]
        while left:
            for header in self.included(left.pop()):
                if header not in seen:
                    seen.add(header)
                    left.append(header)
        return sorted(seen)


class Memory:
    """The keys of what was found clean, one a line."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "clean"
        self.keys = set(self.file.read_text().split("\n")) if self.file.exists() else set()

    def knows(self, key):
        return key in self.keys

    def add(self, key):
        self.keys.add(key)
        with self.file.open("a") as out:
            out.write(key + "\n")


class Linter:
    def __init__(self, root, build, tidy):
        self.root, self.build, self.tidy = root, build, tidy
        version = subprocess.run([tidy, "--version"], capture_output=True, text=True, check=True).stdout
        self.rules = version.encode() + (root / ".clang-tidy").read_bytes()

    def key(self, path, command, sources):
        """Of the whole text, and of the flags, wherever the project lies."""
        flags = [word.replace(str(self.root), ".") for word in flags_of(command)]
        key = hashlib.sha256(self.rules + "\0".join(flags).encode())
        for part in sources.closure(path):
            key.update(str(part.relative_to(self.root)).encode() + b"\0" + sources.digest(part))
        return key.hexdigest()

    def run(self, paths, command):
        """The findings in files that are read as one."""
        with tempfile.TemporaryDirectory() as folder:
            whole = pathlib.Path(folder, "together.cpp")
            whole.write_text("".join(f'#include "{path}"  // NOLINT\n' for path in paths))
            ran = subprocess.run([self.tidy, "--quiet", f"--config-file={self.root}/.clang-tidy", str(whole), "--", *flags_of(command)],
                                 capture_output=True, text=True)
        findings = []
        for line in ran.stdout.splitlines():
            match = FINDING.match(line)
            if match:
                place = match["place"].replace(f"{self.root}/", "")
                what = match["what"].replace(",-warnings-as-errors", "").replace("[clang-diagnostic-error]", f"[{CANNOT_BE_READ}]")
                findings.append(f"{place}: {what}")
        if ran.returncode != 0 and not findings:
            last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
            findings.append(f"{paths[0].relative_to(self.root)}: {CANNOT_BE_READ}: {last}")
        return findings

    def look(self, paths, command):
        """The findings of each file, with those in its headers; halved until it can be read."""
        findings = self.run(paths, command)
        if len(paths) == 1:
            return {paths[0]: findings}
        sources = Sources(self.root)
        own = {path: {str(part.relative_to(self.root)) for part in sources.closure(path)} for path in paths}
        places = set().union(*own.values())
        if any(CANNOT_BE_READ in finding or finding.split(":")[0] not in places for finding in findings):
            middle = len(paths) // 2
            return {**self.look(paths[:middle], command), **self.look(paths[middle:], command)}
        return {path: [finding for finding in findings if finding.split(":")[0] in own[path]] for path in paths}


def flags_of(command):
    """Of a compile command, what says how to read a file. Without OpenMP, whose header belongs to the compiler."""
    words = [word for word in shlex.split(command)[1:] if word != "-fopenmp"]
    drop = {at + offset for at, word in enumerate(words) for offset in (0, 1) if word in ("-o", "-c")}
    return [word for at, word in enumerate(words) if at not in drop]


def chosen(root, build, names):
    """Compile commands of our sources, without the tests'; or of those that are named."""
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if path.suffix != ".cpp" or root not in path.parents:
            continue
        room = path.relative_to(root).parts[0]
        if names and path in names or not names and room not in ("tests", "build"):
            commands.setdefault(path, entry["command"])
    return commands


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("clang_tidy")
    parser.add_argument("memory", type=pathlib.Path)
    parser.add_argument("-j", type=int, default=os.cpu_count(), help="files at once")
    parser.add_argument("files", nargs="*", type=pathlib.Path, help="only these; all sources when none is named")
    asked = parser.parse_intermixed_args()
    root = pathlib.Path.cwd().resolve()
    linter, memory = Linter(root, asked.build, asked.clang_tidy), Memory(asked.memory)
    commands = chosen(root, asked.build, {path.resolve() for path in asked.files})
    if not commands:
        sys.exit("lint: no file to look at is in the compile commands")
    sources = Sources(root)
    keys = {path: linter.key(path, command, sources) for path, command in commands.items()}
    todo = [path for path in commands if not memory.knows(keys[path])]
    todo.sort(key=lambda path: sum(part.stat().st_size for part in sources.closure(path)))
    print(f"clang-tidy: {len(commands)} files, {len(commands) - len(todo)} known to be clean", flush=True)

    known, seen, began = set(), 0, time.monotonic()
    pool = concurrent.futures.ThreadPoolExecutor(asked.j)
    try:
        looks = [pool.submit(linter.look, paths, commands[paths[0]]) for paths in together.batches(todo, lambda path: flags_of(commands[path]), TOGETHER)]
        for look in concurrent.futures.as_completed(looks):
            for path, findings in look.result().items():
                seen += 1
                # Not if it was edited meanwhile.
                if not findings and linter.key(path, commands[path], Sources(root)) == keys[path]:
                    memory.add(keys[path])
                for finding in findings:
                    if finding not in known:
                        known.add(finding)
                        print(finding, flush=True)
            print(f"[{seen}/{len(todo)}] {time.monotonic() - began:.0f} s", flush=True)
    except KeyboardInterrupt:
        pool.shutdown(cancel_futures=True)
        sys.exit("lint: interrupted; the next run goes on from here")
    if known:
        print(f"\n{len(known)} findings:", *sorted(known), sep="\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
