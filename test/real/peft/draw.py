"""Makes random adapters with PEFT and runs them: the live adapter's logits are the measure of what a merge has to be.

    python draw.py JOBS.json

A job is {"seed", "base", "folder", "family"}. What is drawn stands in FOLDER/draw.json, the adapter in FOLDER/adapter, as PEFT saved it (in
a checkpoint folder, sometimes), and the logits of the adapter that was loaded again on its base in FOLDER/logits.npy. One JSON line a job:
{"ok": true} or {"ok": false, "error"}, where PEFT itself refuses what was drawn.
"""

import contextlib
import io
import json
import logging
import random
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
torch.set_num_threads(1)

EXPERTS = {"MixtralForCausalLM", "Qwen3MoeForCausalLM", "Qwen2MoeForCausalLM"}


def linear_leaves(model) -> list[str]:
    return sorted({name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear) and not name.endswith("lm_head")})


def draw(rng: random.Random, model, config) -> dict:
    """LoraConfig's arguments, and how many rows are added."""
    leaves = linear_leaves(model)
    is_moe = config.architectures[0] in EXPERTS
    options: dict = {"r": rng.choice([1, 2, 4, 6, 8]), "lora_alpha": rng.choice([4, 8, 16, 11])}
    kind = rng.random()
    if kind < 0.12:
        options["target_modules"] = "all-linear"
    elif kind < 0.2:
        options["target_modules"] = rf".*\.({'|'.join(rng.sample(leaves, min(2, len(leaves))))})"
    else:
        options["target_modules"] = rng.sample(leaves, rng.randint(1, len(leaves)))
    listed = isinstance(options["target_modules"], list)
    if is_moe:
        experts = rng.random()
        if experts < 0.4:
            options["target_parameters"] = rng.choice([["mlp.experts.gate_up_proj"], ["mlp.experts.down_proj"], ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]])
        elif experts < 0.6 and listed:
            names = ["w1", "w2", "w3"] if config.model_type == "mixtral" else ["gate_proj", "up_proj", "down_proj"]
            options["target_modules"] += rng.choice([[names[0], names[2] if config.model_type == "mixtral" else names[1]], names])
    vocabulary = rng.random()
    if vocabulary < 0.14 and listed:
        options["target_modules"].append("embed_tokens")
    elif vocabulary < 0.26 and listed:
        options["target_modules"].append("lm_head")
    elif vocabulary < 0.34 and listed:
        options["target_modules"] += ["embed_tokens", "lm_head"]
    elif vocabulary < 0.54:
        options["modules_to_save"] = rng.choice([["embed_tokens"], ["lm_head"], ["embed_tokens", "lm_head"], ["norm"], ["input_layernorm", "lm_head"]])
    elif vocabulary < 0.7:
        rows = rng.sample(range(3, 590), rng.randint(1, 5))
        options["trainable_token_indices"] = rng.choice([rows, {"embed_tokens": rows}, {"embed_tokens": rows, "lm_head": rows}])
    if rng.random() < 0.4:
        options["ensure_weight_tying"] = True
    if rng.random() < 0.2:
        options["use_rslora"] = True
    if rng.random() < 0.25 and "target_parameters" not in options:
        options["use_dora"] = True
    pattern = rng.choice(leaves)
    forms = [pattern, rf".*\.{pattern}", rf"layers\.1\.self_attn\.{pattern}", rf"model\.layers\.[02]\..*\.{pattern}"]
    if is_moe:
        forms += ["gate_up_proj", r".*\.gate_up_proj", "experts.down_proj", r"layers\.0\.mlp\.experts\.gate_up_proj"]
    if rng.random() < 0.3:
        options["rank_pattern"] = {rng.choice(forms): rng.choice([3, 5, 12])}
    if rng.random() < 0.3:
        options["alpha_pattern"] = {rng.choice(forms): rng.choice([1, 7, 32])}
    if rng.random() < 0.15:
        options["bias"] = rng.choice(["all", "lora_only"])
    if rng.random() < 0.08 and not options.get("use_dora"):
        options["lora_bias"] = True
    if rng.random() < 0.12 and listed:
        options["layers_to_transform"] = [0, 1]
        options["layers_pattern"] = "layers"
    if rng.random() < 0.08:
        options["exclude_modules"] = [rng.choice(leaves)]
    options["init_lora_weights"] = rng.choice([True, True, True, "gaussian", "orthogonal"]) if options["r"] % 2 == 0 else True
    return options


def run(job: dict) -> None:
    rng = random.Random(job["seed"])
    torch.manual_seed(job["seed"])
    folder = Path(job["folder"])
    config = AutoConfig.from_pretrained(job["base"])
    load = lambda: AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.float32)  # noqa: E731
    model = load()
    options = draw(rng, model, config)
    added = rng.choice([0, 0, 0, 0, 3, 8])
    rows = model.get_input_embeddings().weight.shape[0] + added
    if added:
        model.resize_token_embeddings(rows, mean_resizing=False)
    parts = folder / ("outputs/checkpoint-30" if rng.random() < 0.2 else "adapter")
    peft = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **options))
    with torch.no_grad():
        seen = set()
        for name, parameter in peft.named_parameters():
            if parameter.requires_grad and parameter.data_ptr() not in seen:
                seen.add(parameter.data_ptr())
                size = 0.05
                # In place, so that what is tied stays tied. Whole weights and magnitudes stay near what they are.
                parameter.add_(torch.randn_like(parameter) * size)
    peft.eval().save_pretrained(str(parts))
    if rng.random() < 0.25:
        from safetensors.torch import load_file, save_file

        kind = rng.choice([torch.bfloat16, torch.float16])
        file = parts / "adapter_model.safetensors"
        save_file({name: tensor.to(kind) for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})
    again = load()
    if added:
        torch.manual_seed(job["seed"])
        again.resize_token_embeddings(rows, mean_resizing=False)
    again = PeftModel.from_pretrained(again, str(parts)).eval()
    ids = torch.tensor(job["ids"])[None]
    with torch.no_grad():
        trained = peft(ids).logits[0]
        live = again(ids).logits[0]
    np.save(folder / "logits.npy", live.float().numpy())
    scale = live.abs().mean().item()
    facts = {"options": options, "added": added, "adapter": str(parts if parts.name == "adapter" else parts.parent), "reload": (trained - live).abs().max().item() / scale}
    (folder / "draw.json").write_text(json.dumps(facts, default=list))


for one in json.loads(Path(sys.argv[1]).read_text()):
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            run(one)
        print(json.dumps({"ok": True}), flush=True)
    except Exception as problem:  # noqa: BLE001
        print(json.dumps({"ok": False, "error": f"{type(problem).__name__}: {problem}"[:600]}), flush=True)
