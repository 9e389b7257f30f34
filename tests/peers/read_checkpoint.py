"""Reads a checkpoint with h5py through its master file, and by its manifest alone with numpy, and compares the two.

    python read_checkpoint.py RUN/checkpoints/step-…      # needs h5py and numpy
"""
import json
import pathlib
import sys

import h5py
import numpy as np

WIDTHS = {"f32": np.float32, "f64": np.float64, "i64": np.int64, "i32": np.int32, "u8": np.uint8, "i8": np.int8, "f16": np.float16}


def by_manifest(folder, manifest):
    """Tensors put together from the slices' offsets, without HDF5."""
    tensors = {}
    for shard in manifest["shards"]:
        data = np.memmap(folder / shard["file"]["name"], dtype=np.uint8, mode="r")
        assert len(data) == shard["file"]["bytes"], shard["file"]["name"]
        for piece in shard["slices"]:
            bf16 = piece["dtype"] == "bf16"
            dtype = np.dtype(np.uint16 if bf16 else WIDTHS[piece["dtype"]])
            whole = tensors.setdefault(piece["name"], np.zeros(int(np.prod(piece["shape"])), np.float32 if bf16 else dtype))
            raw = data[piece["offset"]:piece["offset"] + piece["count"] * dtype.itemsize].view(dtype)
            if bf16:
                raw = (raw.astype(np.uint32) << 16).view(np.float32)
            whole[piece["begin"]:piece["begin"] + piece["count"]] = raw
    return tensors


def main():
    folder = pathlib.Path(sys.argv[1])
    manifest = json.loads((folder / "manifest.json").read_text())
    expected = by_manifest(folder, manifest)
    with h5py.File(folder / "checkpoint.h5") as master:
        listed = {f["name"]: f["bytes"] for f in json.loads(master.attrs["complete"])}
        assert listed == {s["file"]["name"]: s["file"]["bytes"] for s in manifest["shards"]}, "complete differs from the manifest"
        for name, values in expected.items():
            found = master[name][...]
            assert not np.isnan(found.astype(np.float32)).any(), f"{name} has fill values"
            assert np.array_equal(found.reshape(-1).astype(values.dtype), values), f"{name} differs"
    print(f"{len(expected)} tensors read by h5py {h5py.__version__} equal those of the manifest")


if __name__ == "__main__":
    main()
