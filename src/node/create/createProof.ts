import { toStudioError } from '../../core/errors';
import type { ModelfileLines } from '../../core/modelfile/modelfileLines';
import type { ModelAnswer } from '../../core/ollama/ollamaModels';
import type { OllamaClient } from '../ollama/ollamaClient';
import { whileUnsettled } from '../ollama/whileUnsettled';

/** What a new model said when it was spoken to. */
export interface Proof {
  readonly answer: string | undefined;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

const QUESTION = 'Hello! Who are you?';
/** Enough to see whether it speaks, little enough for a slow machine. */
const MAX_TOKENS = 64;

/** Two texts that no embedding model takes for one. */
const TEXTS = ['How do I bake an apple cake?', 'The rocket reached its orbit at noon.'] as const;

/** An embedding model answers with vectors: of as many numbers, none of them broken, and another for another text. */
function embeddingProof(vectors: readonly (readonly number[])[]): Proof {
  const [first, second] = vectors;
  const norm = (vector: readonly number[]): number => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  const product = (first ?? []).reduce((sum, value, index) => sum + value * (second?.[index] ?? NaN), 0);
  const cosine = product / (norm(first ?? []) * norm(second ?? []));
  if (first === undefined || second === undefined || !Number.isFinite(cosine)) {
    return failedEmbedding('the model was asked for two embeddings and answered with none, or with zeros');
  }
  return cosine > 1 - 1e-6
    ? failedEmbedding('the model has the same embedding for different texts: its weights or its pooling may be wrong')
    : {
        answer: `an embedding of ${first.length} numbers; two unlike texts have a cosine of ${cosine.toFixed(2)}`,
        warnings: [],
      };
}

function failedEmbedding(message: string): Proof {
  return { answer: undefined, warnings: [{ code: 'ollama/no-answer', message }] };
}

/** Asks a new model one question, or an embedding model for two embeddings. That it cannot answer is a warning: the model exists. */
export async function askForProof(
  client: OllamaClient,
  name: string,
  { lines, signal }: { readonly lines: ModelfileLines; readonly signal: AbortSignal },
): Promise<Proof> {
  try {
    const { capabilities } = await whileUnsettled(() => client.show(name, { signal }), signal);
    if (capabilities.includes('embedding') && !capabilities.includes('completion')) {
      return embeddingProof(await client.embed(name, TEXTS, { signal }));
    }
    if (capabilities.length > 0 && !capabilities.includes('completion')) {
      return {
        answer: undefined,
        warnings: [
          {
            code: 'ollama/no-answer',
            message: `the model does not write text (${capabilities.join(', ')}), so it was not asked anything`,
          },
        ],
      };
    }
    const { text, thinking } = await whileUnsettled(() => ask(client, name, signal), signal);
    const answer = text === '' ? thinking : text;
    return answer.trim() === ''
      ? {
          answer: undefined,
          warnings: [
            {
              code: 'ollama/no-answer',
              message:
                'the model was asked a question and answered nothing: its template or stop texts may be wrong (run MODEL --show-prompt shows the prompt)',
            },
          ],
        }
      : { answer, warnings: [] };
  } catch (thrown) {
    const error = toStudioError(thrown);
    if (signal.aborted) {
      // The model has its name by now: that the question was cut short takes nothing back.
      return {
        answer: undefined,
        warnings: [
          {
            code: 'ollama/no-answer',
            message: 'cancelled while the model was asked its question; it was created and stays',
          },
        ],
      };
    }
    return {
      answer: undefined,
      warnings: [
        { code: error.code, message: `the model was created and could not be asked: ${lines.ofServer(error).message}` },
      ],
    };
  }
}

async function ask(client: OllamaClient, model: string, signal: AbortSignal): Promise<ModelAnswer> {
  const messages = [{ role: 'user', content: QUESTION }] as const;
  const run = client.chat({ model, messages, options: { temperature: 0, num_predict: MAX_TOKENS } }, { signal });
  for (;;) {
    const step = await run.next();
    if (step.done === true) {
      return step.value;
    }
  }
}
