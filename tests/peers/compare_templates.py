"""compare_templates.py RENDERER FILE.jinja…: renders chats with transformers' Jinja environment and with trireme, and tells where they differ.

RENDERER is the program `render_template` (cmake --build --preset release --target render_template). The templates are those of any packages or
model folders at hand, as with: compare_templates.py build/release/bin/render_template $(find SITE-PACKAGES/trl SITE-PACKAGES/axolotl -name '*.jinja')
"""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "golden"))
import make_templates as golden  # noqa: E402


def main():
    renderer, files = sys.argv[1], sys.argv[2:]
    chats = (golden.SIMPLE, golden.SYSTEM, golden.CALLS, golden.THINKS, golden.REASONED, golden.PARTS, golden.OUT_OF_TURN)
    requests, wanted = [], []
    for file in files:
        source = pathlib.Path(file).read_text(encoding="utf-8")
        for messages in chats:
            for tools in ({}, {"tools": golden.TOOLS}):
                context = {"messages": messages, "add_generation_prompt": False, "bos_token": "<s>", "eos_token": "</s>", **tools}
                requests.append((file, {"source": source, "context": context}))
                wanted.append(golden.render(source, context))
    lines = "".join(json.dumps(request) + "\n" for _, request in requests)
    answers = [json.loads(line) for line in subprocess.run([renderer], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()]
    assert len(answers) == len(requests)
    different, refused = {}, 0
    for (file, request), want, got in zip(requests, wanted, answers):
        refused += "error" in want
        if ("error" in want) != ("error" in got) or want.get("text") != got.get("text"):
            different.setdefault(file, []).append((want, got))
    print(f"{len(files)} templates, {len(requests)} renderings ({refused} refused by Jinja), {sum(map(len, different.values()))} differ")
    for file, pairs in different.items():
        want, got = pairs[0]
        print(f"{file}: {len(pairs)} differ; wanted {str(want)[:300]}\n  got {str(got)[:300]}")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
