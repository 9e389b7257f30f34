"""Writes loss_scales/deepspeed.json: the scale of each step by DeepSpeed's DynamicLossScaler for drawn overflows.

    pip download --no-deps --no-build-isolation deepspeed==0.18.2 && python make_loss_scales.py deepspeed-0.18.2.tar.gz

Of the archive only the file of the loss scaler is loaded; torch must be installed.
"""
import importlib.util
import json
import pathlib
import random
import sys
import tarfile
import tempfile
import types

OUT = pathlib.Path(__file__).parent / "loss_scales"


def load_scaler(archive):
    for name, attributes in {
        "deepspeed": {}, "deepspeed.runtime": {}, "deepspeed.runtime.config_utils": {"DeepSpeedConfigObject": object},
        "deepspeed.comm": {"get_rank": lambda: 1}, "deepspeed.utils": {"logger": None},
    }.items():
        module = types.ModuleType(name)
        for key, value in attributes.items():
            setattr(module, key, value)
        sys.modules[name] = module
    sys.modules["deepspeed"].comm = sys.modules["deepspeed.comm"]
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as files:
        member = next(m for m in files.getmembers() if m.name.endswith("deepspeed/runtime/fp16/loss_scaler.py"))
        path = pathlib.Path(folder) / "loss_scaler.py"
        path.write_bytes(files.extractfile(member).read())
        spec = importlib.util.spec_from_file_location("loss_scaler", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module.DynamicLossScaler


def main():
    scaler_of = load_scaler(sys.argv[1])
    rng = random.Random(5)
    cases = []
    for power, window, hysteresis, minimum, share in [(16, 4, 2, 1, 0.2), (8, 3, 1, 1, 0.3), (12, 10, 3, 16, 0.1), (4, 1, 2, 1, 0.5),
                                                      (16, 5, 2, 0.25, 0.0), (3, 2, 1, 2, 0.6)]:
        scaler = scaler_of(init_scale=2**power, scale_window=window, min_scale=minimum, delayed_shift=hysteresis,
                           consecutive_hysteresis=False)
        overflows, scales, ended = [], [], False
        for _ in range(60):
            overflows.append(rng.random() < share)
            scales.append(scaler.loss_scale)
            try:
                scaler.update_scale(overflows[-1])
            except Exception:
                ended = True
                break
        cases.append(dict(initial_power=power, window=window, hysteresis=hysteresis, minimum=minimum, overflows=overflows,
                          scales=scales, ended=ended))
    OUT.mkdir(exist_ok=True)
    (OUT / "deepspeed.json").write_text(json.dumps(cases) + "\n")
    print([len(case["scales"]) for case in cases], [case["ended"] for case in cases])


main()
