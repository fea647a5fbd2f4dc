import { ollamaNames } from '../ollama/ollamaTable';

/** Class names (first of `architectures`) whose safetensors folders some Ollama converts, or converted. */
export const CONVERTIBLE_ARCHITECTURES: ReadonlySet<string> = new Set(ollamaNames('convertedClass').keys());
