"""Both ways between trireme and peft, on the small reference model, with the real peft:

    python tests/peers/peft_round_trip.py --trireme build/release/bin/trireme --python PYTHON      # PYTHON with torch, transformers and peft

1. peft writes a random adapter (plain, rsLoRA, some modules alone); trireme starts from it with a learning rate that changes nothing: the
   loss is that of peft's model.
2. trireme trains an adapter and exports it in peft's format and merged; peft loads the first, transformers the second: their losses are that
   of `trireme eval`, and their logits are equal to each other.

Losses agree within 1e-5, logits within 1e-4 of the largest. Exits with 1 where they do not.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = ROOT / "tests/golden/reference"
CASES = [
    ("all linear layers", dict(r=4, lora_alpha=8), dict(lora_target_linear="true")),
    ("rsLoRA", dict(r=8, lora_alpha=16, use_rslora=True), dict(lora_target_linear="true", peft_use_rslora="true")),
    ("q_proj and down_proj", dict(r=4, lora_alpha=4), dict(lora_target_modules="[q_proj, down_proj]")),
]
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

IN_PYTHON = """
import json, sys, numpy, torch, transformers, peft
task = json.loads(sys.argv[1])
torch.manual_seed(task.get("seed", 0))
tokens = torch.from_numpy(numpy.load(task["tokens"])[0]).long()
model = transformers.AutoModelForCausalLM.from_pretrained(task["model"], dtype=torch.float32)
if "make" in task:
    model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **task["make"]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.1)
    model.save_pretrained(task["folder"])
elif "adapter" in task:
    model = peft.PeftModel.from_pretrained(model, task["adapter"])
with torch.no_grad():
    out = model(input_ids=tokens, labels=tokens)
numpy.save(task["logits"], out.logits.numpy())
print(json.dumps({"loss": out.loss.item()}))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trireme", default=ROOT / "build/release/bin/trireme", type=pathlib.Path)
    parser.add_argument("--python", default=sys.executable)
    args = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)

        def python(**task):
            task = dict(dict(tokens=str(BASE / "tokens.npy"), model=str(BASE), logits=str(folder / "logits.npy")), **task)
            out = subprocess.run([args.python, "-c", IN_PYTHON, json.dumps(task)], check=True, capture_output=True, text=True)
            return json.loads(out.stdout.splitlines()[-1])["loss"]

        def trireme(*words):
            out = subprocess.run([args.trireme, *map(str, words)], capture_output=True, text=True)
            if out.returncode != 0:
                sys.exit(f"trireme {' '.join(map(str, words))} ended with {out.returncode}:\n{out.stderr}")
            return out.stdout

        def compare(what, ours, theirs, limit=1e-5):
            nonlocal failures
            difference = abs(ours / theirs - 1)
            failures += difference > limit
            print(f"{'ok  ' if difference <= limit else 'FAIL'} {what}: {ours:.7f} and {theirs:.7f}, {difference:.1e} apart")

        job = folder / "job.yaml"
        job.write_text(f"""
base_model: {BASE}
datasets:
  - path: {BASE}/tokens.npy
    type: tokens
shuffle_merged_datasets: false
sequence_len: 64
micro_batch_size: 4
max_steps: 1
learning_rate: 1.0e-30
lr_scheduler: constant
max_grad_norm: 0
bf16: false
adapter: lora
""")
        for number, (name, peft_words, our_words) in enumerate(CASES):
            targets = our_words.get("lora_target_modules")
            modules = LINEARS if targets is None else [word.strip() for word in targets.strip("[]").split(",")]
            made = folder / f"peft-{number}"
            theirs = python(make=dict(peft_words, target_modules=modules), folder=str(made), seed=number)
            words = [f"{key}={value}" for key, value in our_words.items()]
            words += [f"lora_r={peft_words['r']}", f"lora_alpha={peft_words['lora_alpha']}"]
            run = folder / f"read-{number}"
            trireme("train", job, f"output_dir={run}", f"lora_model_dir={made}", *words)
            ours = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])["loss"]
            compare(f"{name}: peft's adapter in trireme", ours, theirs)

            run = folder / f"written-{number}"
            words = [*words, f"output_dir={run}", "learning_rate=0.01", "max_steps=8"]
            trireme("train", job, *words)
            evaluated = json.loads(trireme("eval", job, *words, "--steps", 1, "--json").splitlines()[-1])["loss"]
            trireme("export", run, "--to", "peft")
            trireme("export", run, "--to", "hf", "--dtype", "fp32")
            beside, merged = folder / "beside.npy", folder / "merged.npy"
            compare(f"{name}: trireme's adapter in peft", evaluated, python(adapter=str(run / "export-peft"), logits=str(beside)))
            compare(f"{name}: trireme's merged model in transformers", evaluated,
                    python(model=str(run / "export-hf"), logits=str(merged)))
            check = "import sys, numpy; a, b = numpy.load(sys.argv[1]), numpy.load(sys.argv[2]); print(abs(a - b).max() / abs(b).max())"
            apart = float(subprocess.run([args.python, "-c", check, beside, merged], check=True, capture_output=True, text=True).stdout)
            failures += apart > 1e-4
            print(f"{'ok  ' if apart <= 1e-4 else 'FAIL'} {name}: logits beside and merged, {apart:.1e} of the largest apart")
    sys.exit(1 if failures else 0)


main()
