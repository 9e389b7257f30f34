#!/usr/bin/env bash
# generate_test.sh TRIREME GOLDEN: the texts that transformers generated greedily from the same model, on one rank and on two that split it; a
# seed draws the same text twice, another seed another; what was trained is what generates.
. "${0%/*}/runs.sh"
reference_job <<YAML
output_dir: $dir/run
max_steps: 4
learning_rate: 0.01
bf16: false
YAML
generate() { "$trireme" generate "$dir/job.yaml" --prompt "The sea was" --max-new-tokens 24 --no-end "$@" 2>>"$dir/generate.log" | cksum || fail "generate $*"; }
python3 - "$golden" "$trireme" "$dir" <<'PYTHON' || fail "not the texts of transformers"
import json, subprocess, sys
golden, trireme, folder = sys.argv[1:]
for row in json.load(open(f"{golden}/reference/generated.json")):
    words = ["generate", f"{folder}/job.yaml", "--base", "--no-end", "--max-new-tokens", "24", "--prompt", row["prompt"]]
    for command in ([trireme] + words, [trireme, "launch", "-n", "2", "--", *words, "placement=zero3", f"output_dir={folder}/two"]):
        said = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        assert said == row["text"] + "\n" or (len(command) > len(words) + 1 and row["text"] in said), (command, said, row["text"])
PYTHON
drawn=$(generate --base --temperature 1 --top-p 0.9 --seed 5)
[ "$drawn" = "$(generate --base --temperature 1 --top-p 0.9 --seed 5)" ] || fail "one seed draws two texts"
[ "$drawn" != "$(generate --base --temperature 1 --top-p 0.9 --seed 6)" ] || fail "two seeds draw one text"
"$trireme" train "$dir/job.yaml" >"$dir/train.log" 2>&1 || fail "training failed"
[ "$(generate)" != "$(generate --base)" ] || fail "the checkpoint is not used"
