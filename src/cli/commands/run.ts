import { createInterface } from 'node:readline/promises';
import { toStudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import type { ChatMessage, ChatRequest, ModelAnswer, ModelOptions } from '../../core/ollama/ollamaModels';
import type { OllamaClient } from '../../node/ollama/ollamaClient';
import type { Command, CommandContext, CommandResult, OptionValues } from '../command';
import { modelName, modelText, OLLAMA_OPTIONS, runningOllama } from '../ollama';
import { flag, text, usageError } from '../options';

export const run: Command = {
  name: 'run',
  usage:
    'MODEL [PROMPT] [--system TEXT] [--temperature N] [--seed N] [--num-ctx N] [--num-predict N] [--compare-with MODEL] [--show-prompt] [--host ADDRESS]',
  does: 'talk to a model of an Ollama server',
  options: {
    system: { type: 'string' },
    temperature: { type: 'string' },
    seed: { type: 'string' },
    'num-ctx': { type: 'string' },
    'num-predict': { type: 'string' },
    'compare-with': { type: 'string' },
    'show-prompt': { type: 'boolean' },
    ...OLLAMA_OPTIONS,
  },
  async run(positionals, options, context) {
    const [name, ...words] = positionals;
    if (name === undefined) {
      throw usageError('run needs a model. For example: run rugby "How wide is a rugby league field?"');
    }
    const compared = text(options, 'compare-with');
    const models = [name, ...(compared === undefined ? [] : [compared])].map(modelName);
    const settings: Settings = {
      models,
      options: modelOptions(options),
      system: text(options, 'system'),
      showPrompt: flag(options, 'show-prompt'),
    };
    const client = await runningOllama(options, context);
    const prompt = words.length > 0 ? words.join(' ') : process.stdin.isTTY ? undefined : await standardInput();
    if (prompt !== undefined) {
      return await once(client, settings, prompt, context);
    }
    if (context.json) {
      throw usageError('run --json needs a prompt, as an argument or on standard input.');
    }
    return await conversation(client, settings, context);
  },
};

interface Settings {
  readonly models: readonly string[];
  readonly options: ModelOptions;
  readonly system: string | undefined;
  readonly showPrompt: boolean;
}

/** What one model said to one prompt. */
interface Turn extends ModelAnswer {
  readonly model: string;
  /** What was given to the model; told when asked for. */
  readonly prompt?: string;
}

const MAX_INPUT = 16 * 1024 * 1024;

function modelOptions(options: OptionValues): ModelOptions {
  const values: Record<string, number> = {};
  for (const [option, name, isWhole] of [
    ['temperature', 'temperature', false],
    ['seed', 'seed', true],
    ['num-ctx', 'num_ctx', true],
    ['num-predict', 'num_predict', true],
  ] as const) {
    const value = text(options, option);
    if (value !== undefined) {
      const number = Number(value);
      if (value.trim() === '' || !Number.isFinite(number) || (isWhole && !Number.isInteger(number))) {
        throw usageError(`--${option} ${value}: give a ${isWhole ? 'whole ' : ''}number.`);
      }
      values[name] = number;
    }
  }
  return values;
}

async function standardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    length += (chunk as Buffer).length;
    if (length > MAX_INPUT) {
      throw usageError('Standard input is larger than any prompt. Give a shorter one.');
    }
    chunks.push(chunk as Buffer);
  }
  const prompt = Buffer.concat(chunks).toString('utf8').trimEnd();
  if (prompt === '') {
    throw usageError('There is no prompt, neither as an argument nor on standard input.');
  }
  return prompt;
}

function messagesOf(system: string | undefined, turns: readonly ChatMessage[]): ChatMessage[] {
  return [...(system === undefined ? [] : [{ role: 'system' as const, content: system }]), ...turns];
}

async function once(
  client: OllamaClient,
  settings: Settings,
  prompt: string,
  context: CommandContext,
): Promise<CommandResult> {
  const turns: Turn[] = [];
  for (const model of settings.models) {
    const several = settings.models.length > 1;
    if (several) {
      context.say(context.palette.strong(escapeControls(model)));
    }
    turns.push(
      await ask(
        client,
        {
          model,
          messages: messagesOf(settings.system, [{ role: 'user', content: prompt }]),
          options: settings.options,
        },
        settings,
        context,
      ),
    );
    if (several && model !== settings.models.at(-1)) {
      context.say('');
    }
  }
  const [first, second] = turns;
  const json = {
    ok: true,
    ...answerJson(first!),
    ...(second === undefined ? {} : { compared: { ...answerJson(second), same: second.text === first!.text } }),
  };
  return { exitCode: 0, json, text: '' };
}

function answerJson({ model, text: answer, thinking, toolCalls, ...rest }: Turn): Record<string, unknown> {
  return {
    model,
    answer,
    ...(thinking === '' ? {} : { thinking }),
    ...(toolCalls.length === 0 ? {} : { toolCalls }),
    ...rest,
  };
}

/** One request, its answer written as it comes. */
async function ask(
  client: OllamaClient,
  request: ChatRequest,
  { showPrompt }: Settings,
  context: CommandContext,
): Promise<Turn> {
  const { signal, palette } = context;
  const prompt = showPrompt ? await client.renderPrompt(request, { signal }) : undefined;
  if (prompt !== undefined) {
    context.say(palette.faint(modelText(prompt)));
  }
  const answer = client.chat(request, { signal });
  let kind: 'text' | 'thinking' = 'text';
  for (;;) {
    const step = await answer.next();
    if (step.done === true) {
      context.say('');
      context.say(palette.faint(figures(step.value)));
      return { model: request.model, ...step.value, ...(prompt === undefined ? {} : { prompt }) };
    }
    const { event, text: piece } = step.value;
    if (event !== kind && kind === 'thinking') {
      context.write('\n\n');
    }
    kind = event;
    context.write(event === 'thinking' ? palette.faint(modelText(piece)) : modelText(piece));
  }
}

/** Why it stopped, how much and how fast. */
function figures({ stopReason, tokens, promptTokens, tokensPerSecond, loadSeconds }: ModelAnswer): string {
  const parts = [
    stopReason === undefined
      ? undefined
      : stopReason === 'length'
        ? 'stopped at the limit of tokens'
        : `stopped: ${escapeControls(stopReason)}`,
    `${tokens} tokens`,
    tokensPerSecond === undefined ? undefined : `${tokensPerSecond.toFixed(1)} tokens/s`,
    `prompt ${promptTokens} tokens`,
    loadSeconds > 0.5 ? `loaded in ${loadSeconds.toFixed(1)} s` : undefined,
  ];
  return parts.filter((part) => part !== undefined).join(' · ');
}

/** Turn by turn on a terminal; every model has a history of its own. */
async function conversation(client: OllamaClient, settings: Settings, context: CommandContext): Promise<CommandResult> {
  const histories = new Map<string, ChatMessage[]>(settings.models.map((model) => [model, []]));
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  context.say(context.palette.faint('An empty line or /bye ends.'));
  try {
    for (;;) {
      const prompt = await terminal.question('>>> ', { signal: context.signal });
      if (prompt.trim() === '' || prompt.trim() === '/bye') {
        return { exitCode: 0, json: { ok: true }, text: '' };
      }
      for (const [model, history] of histories) {
        if (histories.size > 1) {
          context.say(context.palette.strong(escapeControls(model)));
        }
        const turns: ChatMessage[] = [...history, { role: 'user', content: prompt }];
        try {
          const turn = await ask(
            client,
            { model, messages: messagesOf(settings.system, turns), options: settings.options },
            settings,
            context,
          );
          history.splice(0, history.length, ...turns, { role: 'assistant', content: turn.text });
        } catch (thrown) {
          const error = toStudioError(thrown);
          if (context.signal.aborted) {
            throw error;
          }
          context.say(`${error.code}: ${escapeControls(error.message)}`);
        }
      }
    }
  } finally {
    terminal.close();
  }
}
