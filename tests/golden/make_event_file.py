"""Writes events/: an event file as the tensorboard package itself writes it, and what it holds.

    pip install tensorboard==2.21.0 && python make_event_file.py
"""
import json
import pathlib

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

OUT = pathlib.Path(__file__).parent / "events"
TIME = 1763721600.25
STEPS = [
    (1, {"train/loss": 6.926519393920898, "train/learning_rate": 3e-4}),
    (2, {"train/loss": 5.5}),
    (300, {"eval/held_out/perplexity": 1e10, "eval/held_out/token_accuracy": 0.0}),
    (5000000000, {"x" * 200: -1.25}),
]


def main():
    OUT.mkdir(exist_ok=True)
    with open(OUT / "golden.tfevents", "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=TIME, file_version="brain.Event:2").SerializeToString())
        for step, scalars in STEPS:
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
            writer.write(Event(wall_time=TIME + step, step=step, summary=Summary(value=values)).SerializeToString())
        writer.flush()
    (OUT / "golden.json").write_text(json.dumps(dict(time=TIME, steps=STEPS)) + "\n")


main()
