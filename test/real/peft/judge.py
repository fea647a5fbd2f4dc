"""Compares merges with the adapters that they were made of, by their logits.

    python judge.py LLAMA_CPP JOBS.json

A job is {"folder", "ids", "rowsOnlyLive", "fused"?, "gguf"?}: FOLDER/logits.npy is the measure, FUSED a folder for transformers, GGUF a file of F32 weights,
which are put back under their names in the model of FUSED. One JSON line a job: {"ok", "fused", "gguf"} with the largest differences in
parts of the mean |logit|.
"""

import contextlib
import io
import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

sys.path.insert(0, f"{sys.argv[1]}/gguf-py")
import gguf  # noqa: E402

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
torch.set_num_threads(1)


def logits(model, ids) -> np.ndarray:
    with torch.no_grad():
        return model.eval()(torch.tensor(ids)[None]).logits[0].float().numpy()


def unpermute(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    """Undoes the rotary order of llama.cpp's graphs of the llama family."""
    shape = tensor.shape
    return tensor.reshape(heads, shape[0] // heads // 2, 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


LAYER = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "attn_qkv": "self_attn.qkv_proj",
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "ffn_gate": "mlp.gate_proj", "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
    "ffn_gate_inp": "mlp.gate", "post_attention_norm": "post_attention_layernorm", "post_ffw_norm": "post_feedforward_layernorm",
}


def state_of(path: str, config) -> dict[str, torch.Tensor]:
    """The weights of a GGUF under transformers' names."""
    reader = gguf.GGUFReader(path)
    arch = bytes(reader.fields["general.architecture"].parts[-1]).decode()
    heads, kv = config.num_attention_heads, config.num_key_value_heads
    state: dict[str, torch.Tensor] = {}
    gates: dict[str, torch.Tensor] = {}
    is_gemma = arch.startswith("gemma")
    for tensor in reader.tensors:
        value = torch.from_numpy(np.array(tensor.data)).float()
        name, kind = tensor.name.rsplit(".", 1)
        if is_gemma and name.endswith("norm"):
            value = value - 1
        if name in ("token_embd", "output", "output_norm"):
            state[{"token_embd": "model.embed_tokens", "output": "lm_head", "output_norm": "model.norm"}[name] + "." + kind] = value
            continue
        if not name.startswith("blk."):
            continue
        _, layer, leaf = name.split(".", 2)
        before = f"model.layers.{layer}."
        if leaf in ("attn_q", "attn_k") and arch in ("llama", "granite", "smollm3", "mistral3"):
            value = unpermute(value, heads if leaf == "attn_q" else kv)
        if leaf in ("ffn_gate_exps", "ffn_up_exps"):
            gates[f"{layer}.{leaf}"] = value
            if f"{layer}.ffn_gate_exps" in gates and f"{layer}.ffn_up_exps" in gates:
                state[f"{before}mlp.experts.gate_up_proj"] = torch.cat([gates[f"{layer}.ffn_gate_exps"], gates[f"{layer}.ffn_up_exps"]], dim=1)
        elif leaf == "ffn_down_exps":
            state[f"{before}mlp.experts.down_proj"] = value
        elif leaf == "ffn_norm":
            state[before + ("pre_feedforward_layernorm" if arch in ("gemma2", "gemma3") else "post_attention_layernorm") + "." + kind] = value
        elif leaf == "ffn_up":
            state[before + ("mlp.gate_up_proj" if arch == "phi3" else "mlp.up_proj") + "." + kind] = value
        else:
            state[before + LAYER[leaf] + "." + kind] = value
    return state


def judge(job: dict) -> dict:
    live = np.load(Path(job["folder"]) / "logits.npy")
    if job["rowsOnlyLive"]:
        # Rows that the training script added and the adapter holds nothing of: nobody can know them.
        live = live[:, : -job["rowsOnlyLive"]]
    scale = float(np.abs(live).mean())
    answer: dict = {"ok": True, "scale": scale}
    if job.get("fused"):
        model = AutoModelForCausalLM.from_pretrained(job["fused"], dtype=torch.float32)
        answer["fused"] = float(np.abs(logits(model, job["ids"]) - live).max()) / scale
        answer["tied"] = model.lm_head.weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    if job.get("gguf"):
        config = AutoConfig.from_pretrained(job["config"])
        state = state_of(job["gguf"], config)
        config.tie_word_embeddings = "lm_head.weight" not in state
        config.vocab_size = state["model.embed_tokens.weight"].shape[0]
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        missing, unexpected = model.load_state_dict(state, strict=False)
        missing = [name for name in missing if not (name == "lm_head.weight" and config.tie_word_embeddings)]
        if missing or unexpected:
            raise ValueError(f"missing {missing[:5]}, unexpected {unexpected[:5]}")
        model.tie_weights()
        answer["gguf"] = float(np.abs(logits(model, job["ids"]) - live).max()) / scale
    return answer


for one in json.loads(Path(sys.argv[2]).read_text()):
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            result = judge(one)
        print(json.dumps(result), flush=True)
    except Exception as problem:  # noqa: BLE001
        print(json.dumps({"ok": False, "error": f"{type(problem).__name__}: {problem}"[:600]}), flush=True)
