"""Runs llama.cpp's own converter and PEFT's own merge on a list of jobs, in one process: torch takes long to load.

    python driver.py LLAMA_CPP JOBS.json

A job is {"do": "convert", "model", "outtype", "out", "pre"?, "options"?} or {"do": "merge", "model", "adapter", "config", "edit"?, "merged"}. What a
converter or PEFT refuses is printed as one JSON line a job: {"ok": true} or {"ok": false, "error": …}.
"""

import contextlib
import io
import json
import logging
import runpy
import sys
from pathlib import Path


def convert(llama_cpp: str, job: dict) -> None:
    for path in (llama_cpp, f"{llama_cpp}/gguf-py"):
        if path not in sys.path:
            sys.path.insert(0, path)
    import conversion.base as base

    # The vocabularies of the fixtures are made up, so no hash of them is known.
    if job.get("pre") is not None:
        for cls in vars(base).values():
            if isinstance(cls, type) and hasattr(cls, "get_vocab_base_pre"):
                cls.get_vocab_base_pre = lambda self, tokenizer: job["pre"]
    forget_options(base.ModelBase)
    patches = job.get("patches") or []
    # Today's configuration class of Nemotron-H gives dense models experts: config.json alone is right.
    base.AutoConfig.from_pretrained = refuse if "raw-config" in patches else FROM_PRETRAINED
    if "gpt2-vocabulary" in patches:
        # The converter reads Hunyuan-A13B's own tokenizer code, and no tokenizer.json.
        import conversion.hunyuan as hunyuan

        hunyuan.HunYuanMoEModel.set_vocab = lambda self: self._set_vocab_gpt2()
    sys.argv = ["convert_hf_to_gguf.py", job["model"], "--outtype", job["outtype"], "--outfile", job["out"], *job.get("options", [])]
    runpy.run_path(f"{llama_cpp}/convert_hf_to_gguf.py", run_name="__main__")


def refuse(*_args: object, **_kwargs: object) -> None:
    raise ValueError("not this time")


def forget_options(cls: type) -> None:
    """The converter keeps these options in the class of a model, and this process runs many conversions."""
    for below in cls.__subclasses__():
        for option in ("no_mtp", "mtp_only"):
            if option in vars(below):
                delattr(below, option)
        forget_options(below)


def merge(job: dict) -> None:
    """Makes an adapter of noise with PEFT for a model, saves it, and merges it as PEFT does, all in f32."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(job.get("seed", 1))
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    rows = job.get("resize")
    if rows is not None:
        model.resize_token_embeddings(rows)
    peft = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **job["config"]))
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if parameter.requires_grad:
                noise = torch.randn_like(parameter) * 0.05
                # Magnitudes and whole weights stay near what they are; factors become noise.
                parameter.copy_(parameter * 1.1 + noise if "lora_magnitude" in name or "modules_to_save" in name else noise)
    peft.save_pretrained(job["adapter"])
    merged = peft.merge_and_unload()
    merged.save_pretrained(job["merged"])


def main() -> None:
    global FROM_PRETRAINED
    from transformers import AutoConfig

    FROM_PRETRAINED = AutoConfig.from_pretrained
    llama_cpp, jobs = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    logging.disable(logging.CRITICAL)
    for job in jobs:
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                if job["do"] == "convert":
                    convert(llama_cpp, job)
                else:
                    merge(job)
            print(json.dumps({"ok": True}), flush=True)
        except (Exception, SystemExit) as problem:  # noqa: BLE001
            print(json.dumps({"ok": False, "error": f"{type(problem).__name__}: {problem}", "said": said.getvalue()[-2000:]}), flush=True)


main()
