"""Records what llama.cpp's convert_lora_to_gguf.py makes of the fixtures' adapters, into test/golden/adapters.json.

    node test/fixtures/make-model.mjs test/fixtures/specs/NAME.json MODELS/NAME      (for every spec)
    LLAMA_CPP=…/llama.cpp python3 scripts/record/recordAdapters.py MODELS

Needs torch, transformers and safetensors, and llama.cpp's source (v0.5.0). Of every type but F16 only one digest is kept.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

LLAMA_CPP = Path(os.environ["LLAMA_CPP"])
sys.path.insert(0, str(LLAMA_CPP / "gguf-py"))
import gguf  # noqa: E402

TEST = Path(__file__).resolve().parent.parent / "test"
TYPES = ("f32", "f16", "bf16", "q8_0")


def describe(path: Path) -> dict:
    reader = gguf.GGUFReader(str(path))
    keys = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    lines = [f"{t.name} {'x'.join(str(int(n)) for n in t.shape)} {t.tensor_type.name} {hashlib.sha256(t.data.tobytes()).hexdigest()[:16]}" for t in reader.tensors]
    return {"metadata": keys, "tensors": lines}


def convert(base: Path, adapter: Path, outtype: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "adapter.gguf"
        command = [sys.executable, str(LLAMA_CPP / "convert_lora_to_gguf.py"), str(adapter), "--base", str(base), "--outtype", outtype, "--outfile", str(file)]
        run = subprocess.run(command, capture_output=True, text=True)
        return describe(file) if run.returncode == 0 else {"refused": run.stderr.strip().splitlines()[-1]}


def main() -> None:
    models = [(path.name, path) for path in sorted(Path(sys.argv[1]).iterdir())] + [("rugby", TEST / "fixtures" / "rugby")]
    goldens = {}
    for name, folder in models:
        for adapter in sorted(path.parent for path in folder.glob("*/adapter_model.safetensors")):
            for outtype in TYPES:
                found = convert(folder / "base", adapter, outtype)
                if outtype != "f16" and "tensors" in found:
                    found = {"digest": hashlib.sha256("\n".join(sorted(found["tensors"])).encode()).hexdigest()}
                goldens[f"{name}.{adapter.name}.{outtype.upper()}"] = found
                print(name, adapter.name, outtype, "refused" if "refused" in found else "")
    (TEST / "golden" / "adapters.json").write_text(json.dumps(goldens, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
