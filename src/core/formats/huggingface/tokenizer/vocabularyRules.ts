/**
 * How a family's converter departs from the common vocabulary rules:
 * - `plain`: none.
 * - `llama`: `add_space_prefix` from tokenizer_config, CodeLlama's end-of-turn token, no BOS for 49152 tokens.
 * - `gemma`: `add_space_prefix` = false; `gemma1` also has end-of-turn 107.
 * - `gemma4`: byte-fallback BPE under a model name of its own, with merges and without scores that mean anything; always a BOS.
 * - `phi3`: the added tokens of tokenizer.json count for SentencePiece as well.
 */
export type VocabularyRules = 'plain' | 'llama' | 'gemma' | 'gemma1' | 'gemma4' | 'phi3';
