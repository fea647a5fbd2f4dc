/**
 * How a family's converter departs from the common vocabulary rules:
 * - `plain`: none.
 * - `llama`: `add_space_prefix` from tokenizer_config, CodeLlama's end-of-turn token, no BOS for 49152 tokens.
 * - `gemma`: `add_space_prefix` = false; `gemma1` also has end-of-turn 107.
 * - `gemma4`: byte-fallback BPE under a model name of its own, with merges and without scores that mean anything; always a BOS.
 * - `glm4`, `glm`: special tokens that their files do not name, by their texts.
 * - `ernie`: `add_space_prefix` from tokenizer_config, after the special tokens.
 * - `hunyuan`: EOS is `eod_token_id` of config.json, end-of-turn the first of several of generation_config.json.
 * - `hunyuanMoe`: BOS is 127959, whatever config.json says.
 * - `nemotron`: padding is 0 and unknown 1. `nemotronH`: always a BOS.
 * - `phi3`: the added tokens of tokenizer.json count for SentencePiece as well.
 */
export type VocabularyRules =
  | 'plain'
  | 'llama'
  | 'gemma'
  | 'gemma1'
  | 'gemma4'
  | 'phi3'
  | 'glm4'
  | 'glm'
  | 'ernie'
  | 'hunyuan'
  | 'hunyuanMoe'
  | 'nemotron'
  | 'nemotronH';
