"""Reads a checkpoint in all its forms with the libraries of others and compares the values.

    trireme checkpoint convert RUN whole.h5
    trireme checkpoint convert RUN whole.safetensors --to safetensors
    python read_converted.py RUN/checkpoints/step-… whole.h5 whole.safetensors [EXPORTED]      # h5py, numpy, safetensors, torch

EXPORTED: a folder of `trireme export --to hf --dtype fp32`, opened with transformers; its weights must be the checkpoint's.
"""
import pathlib
import subprocess
import sys

import h5py
import numpy as np
import safetensors.torch


def main():
    folder, whole, single = (pathlib.Path(word) for word in sys.argv[1:4])
    tensors = safetensors.torch.load_file(single)
    with h5py.File(folder / "checkpoint.h5") as master, h5py.File(whole) as plain:
        assert b"step" in plain.attrs["state"]
        for name, tensor in tensors.items():
            expected = tensor.float().numpy()
            for file in (master, plain):
                found = file[name][...].astype(np.float32).reshape(expected.shape)
                assert np.array_equal(found, expected, equal_nan=True), f"{file.filename}: {name} differs"
    print(f"{len(tensors)} tensors are equal in the master file, the single HDF5 file and safetensors")
    shown = subprocess.run(["h5dump", "-H", str(folder / "checkpoint.h5")], capture_output=True, text=True, check=True).stdout
    assert shown.count("DATASET") == len(tensors), "h5dump shows another number of tensors"
    print("h5dump shows them all")
    if len(sys.argv) > 4:
        import transformers

        model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[4], dtype="float32")
        for name, parameter in model.named_parameters():
            assert np.array_equal(parameter.detach().numpy(), tensors["model/" + name].numpy()), f"{name} differs"
        print(f"transformers {transformers.__version__} loads the export: its weights are the checkpoint's")


if __name__ == "__main__":
    main()
