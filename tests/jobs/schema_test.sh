#!/usr/bin/env bash
# schema_test.sh TRIREME RECIPES FOREIGN: python's jsonschema, where it is at hand, accepts recipes, foreign job files and resolved jobs under
# the schema that `trireme job schema` prints, and refuses what trireme refuses.
set -euo pipefail
trireme=$1 recipes=$2 foreign=$3
python3 -c 'import jsonschema, yaml' 2>/dev/null || { echo "python3 has no jsonschema and yaml: skipped"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$trireme" job schema >"$dir/schema.json"
"$trireme" job show "$recipes/reference-lora.yaml" placement=hpz placement.gradients.tier=host slurm.nodes=2 >"$dir/shown.yaml"
python3 - "$dir" "$recipes" "$foreign" <<'PYTHON'
import copy, glob, json, sys, warnings, yaml
warnings.simplefilter("ignore")
import jsonschema
folder, recipes, foreign = sys.argv[1:]
schema = json.load(open(f"{folder}/schema.json"))
kind = jsonschema.validators.validator_for(schema)
kind.check_schema(schema)
judge = kind(schema)
good = glob.glob(f"{recipes}/*.yaml") + [f"{folder}/shown.yaml"]
assert len(good) > 2
for name in good:
    for error in judge.iter_errors(yaml.safe_load(open(name))):
        sys.exit(f"{name}: {error.message}")
job = yaml.safe_load(open(good[0]))
for key, value in [("learnin_rate", 1), ("micro_batch_size", 0), ("seed", "x"), ("placement", "zero9"), ("slurm", {"node": 2}),
                   ("lr_scheduler", "cosin"), ("datasets", []), ("datasets", [{"type": "alpaca"}]), ("loss_scale", {"window": 0})]:
    bad = copy.deepcopy(job)
    bad[key] = value
    if judge.is_valid(bad):
        sys.exit(f"the schema accepts {key}: {value}")
PYTHON
