/** Endings of repositories that hold the same model in another form. */
const FORMS = /-(?:unsloth-bnb-4bit|bnb-(?:4|8)bit|unsloth|mlx|gguf|awq|gptq(?:-int[48])?|fp8|[3-8]bit|bf16|fp16|hf)$/;

/** Names of model repositories, without their owner and in lower case, and the model of Ollama's library that has the same weights. */
const RULES: readonly (readonly [RegExp, string])[] = [
  [/^qwen3-(\d+(?:\.\d+)?b)(?:-base)?$/, 'qwen3:$1'],
  [/^qwen3-next-(\d+b)-a3b-(?:instruct|thinking)$/, 'qwen3-next:$1'],
  [/^qwen2\.5-coder-(\d+(?:\.\d+)?b)(?:-instruct)?$/, 'qwen2.5-coder:$1'],
  [/^qwen2\.5-(\d+(?:\.\d+)?b)(?:-instruct)?$/, 'qwen2.5:$1'],
  [/^qwen2-(\d+(?:\.\d+)?b)(?:-instruct)?$/, 'qwen2:$1'],
  [/^qwen1\.5-(\d+(?:\.\d+)?b)(?:-chat)?$/, 'qwen:$1'],
  [/^qwq-(\d+b)$/, 'qwq:$1'],
  [/^llama-3\.2-(1b|3b)(?:-instruct)?$/, 'llama3.2:$1'],
  [/^(?:meta-)?llama-3\.1-(\d+b)(?:-instruct)?$/, 'llama3.1:$1'],
  [/^llama-3\.3-(\d+b)(?:-instruct)?$/, 'llama3.3:$1'],
  [/^(?:meta-)?llama-3-(\d+b)(?:-instruct)?$/, 'llama3:$1'],
  [/^llama-2-(\d+b)(?:-chat)?$/, 'llama2:$1'],
  [/^tinyllama-1\.1b-chat-v[\d.]+$/, 'tinyllama:1.1b'],
  [/^mistral-7b-(?:instruct-)?v0\.\d$/, 'mistral:7b'],
  [/^mistral-nemo-(?:instruct|base)-2407$/, 'mistral-nemo:12b'],
  [/^mistral-small-24b-(?:instruct|base)-2501$/, 'mistral-small:24b'],
  [/^mixtral-(8x7b|8x22b)-(?:instruct-)?v0\.1$/, 'mixtral:$1'],
  [/^gemma-3-(270m|\d+b)-(?:it|pt)$/, 'gemma3:$1'],
  [/^gemma-2-(\d+b)(?:-it)?$/, 'gemma2:$1'],
  [/^gemma-(2b|7b)(?:-it)?$/, 'gemma:$1'],
  [/^phi-3-mini-(?:4|128)k-instruct$/, 'phi3:3.8b'],
  [/^phi-3-medium-(?:4|128)k-instruct$/, 'phi3:14b'],
  [/^phi-3\.5-mini-instruct$/, 'phi3.5:3.8b'],
  [/^phi-4$/, 'phi4:14b'],
  [/^phi-4-mini-instruct$/, 'phi4-mini:3.8b'],
  [/^phi-4-reasoning$/, 'phi4-reasoning:14b'],
  [/^granite-3\.([123])-(2b|8b)-(?:instruct|base)$/, 'granite3.$1:$2'],
  [/^granite-3\.0-(2b|8b)-(?:instruct|base)$/, 'granite3-dense:$1'],
  [/^granite-4\.0-(350m|1b|micro)(?:-base)?$/, 'granite4:$1'],
  [/^smollm2-(135m|360m|1\.7b)(?:-instruct)?$/, 'smollm2:$1'],
  [/^deepseek-r1-distill-(?:qwen|llama)-(\d+(?:\.\d+)?b)$/, 'deepseek-r1:$1'],
  [/^olmo-2-\d+-(7b|13b)-instruct$/, 'olmo2:$1'],
  [/^yi-(6b|9b|34b)(?:-chat)?$/, 'yi:$1'],
];

/**
 * The model of Ollama's library that a base has the weights of, by the name of its repository (`Qwen/Qwen3-0.6B`, a quantised copy of
 * it, or a path that ends so); undefined for bases that are not in this table.
 */
export function libraryNameOf(repository: string): string | undefined {
  let name = (
    repository
      .split(/[\\/]/)
      .filter((part) => part !== '')
      .at(-1) ?? ''
  ).toLowerCase();
  for (let shorter = name.replace(FORMS, ''); shorter !== name; shorter = name.replace(FORMS, '')) {
    name = shorter;
  }
  for (const [pattern, model] of RULES) {
    if (pattern.test(name)) {
      return name.replace(pattern, model);
    }
  }
  return undefined;
}
