"""Reads a run's TensorBoard files with the tensorboard package and compares every number with metrics.jsonl.

    pip install tensorboard==2.21.0 && python tests/peers/read_event_file.py RUN
"""
import json
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main():
    run = pathlib.Path(sys.argv[1])
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    wanted = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        for key in ("loss", "grad_norm", "learning_rate", "tokens_per_s"):
            wanted[f"train/{key}", row["step"]] = row[key]
        for name, found in row.get("eval", {}).items():
            for key, value in found.items():
                wanted[f"eval/{name}/{key}", row["step"]] = value
    found = {(tag, event.step): event.value for tag in events.Tags()["scalars"] for event in events.Scalars(tag)}
    missing = [key for key in wanted if key not in found]
    apart = [key for key in wanted if key in found and abs(found[key] - wanted[key]) > 1e-6 * abs(wanted[key])]
    print(f"{len(wanted)} numbers of {len({tag for tag, _ in wanted})} curves, {len(missing)} missing, {len(apart)} apart")
    sys.exit(1 if missing or apart or not wanted else 0)


main()
