"""Records how Hugging Face's own tokenizers split test/golden-tokens/corpus.json.

    python3 -m venv .cache/tokens
    .cache/tokens/bin/pip install tokenizers==0.23.3 sentencepiece==0.2.3 protobuf==7.36.2
    .cache/tokens/bin/python scripts/record/recordTokens.py

Ids are those of the text alone: no token is added before or after it.
"""

import json
import re
from importlib.metadata import version
from pathlib import Path

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2

ROOT = Path(__file__).resolve().parent.parent / "test"
TOKENIZERS = ROOT / "fixtures" / "tokenizers"
OUT = ROOT / "golden-tokens"
SEPARATORS = (",", ":")
SPECIAL = {"<unk>": 0, "<s>": 1, "</s>": 2}


def load_sentencepiece() -> sentencepiece.SentencePieceProcessor:
    """The fixture's model, told to keep runs of spaces as the published models of the Llama class do. It was trained with SentencePiece's
    defaults, which squeeze them; neither transformers' conversion to a tokenizer.json nor llama.cpp looks at that setting."""
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((TOKENIZERS / "spm" / "tokenizer.model").read_bytes())
    model.normalizer_spec.remove_extra_whitespaces = False
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


def with_tokenizers(name: str, corpus: list[str]) -> list[list[int]]:
    """A tokenizer.json as the `tokenizers` library runs it; special tokens in the text are recognised."""
    tokenizer = tokenizers.Tokenizer.from_file(str(TOKENIZERS / name / "tokenizer.json"))
    return [tokenizer.encode(line, add_special_tokens=False).ids for line in corpus]


def around_special_tokens(corpus: list[str]) -> list[list[int]]:
    """As transformers' LlamaTokenizer with legacy=True: special tokens are cut out, SentencePiece splits every run between them."""
    processor = load_sentencepiece()
    cut = re.compile("(" + "|".join(map(re.escape, SPECIAL)) + ")")
    return [[id for run in cut.split(line) if run for id in ([SPECIAL[run]] if run in SPECIAL else processor.encode(run))] for line in corpus]


def write(name: str, tool: str, special: bool, ids: list[list[int]]) -> None:
    lines = ",\n".join(f"  {json.dumps(line, separators=SEPARATORS)}" for line in ids)
    head = json.dumps({"tool": f"{tool} {version(tool)}", "special": special})[1:-1]
    (OUT / f"{name}.json").write_text(f'{{{head}, "ids": [\n{lines}\n]}}\n', "utf-8")


def main() -> None:
    corpus = json.loads((OUT / "corpus.json").read_text("utf-8"))
    for name in ("bpe-llama3", "bpe-qwen2", "spm-json"):
        write(name, "tokenizers", True, with_tokenizers(name, corpus))
    write("spm", "sentencepiece", False, load_sentencepiece().encode(corpus))
    write("spm-json-legacy", "sentencepiece", True, around_special_tokens(corpus))


if __name__ == "__main__":
    main()
