import type { Random } from './random';

/** Pieces that a Modelfile's grammar is sensitive to, and some that look as if it were. */
const KEYWORDS = [
  'FROM',
  'LICENSE',
  'TEMPLATE',
  'SYSTEM',
  'ADAPTER',
  'DRAFT',
  'RENDERER',
  'PARSER',
  'PARAMETER',
  'MESSAGE',
  'REQUIRES',
  'from',
  'From',
  'fRoM',
  'parameter',
  'Message',
  'system',
  'requires',
  'license',
];
const WRONG_KEYWORDS = [
  'FORM',
  'PARAMETERS',
  'SYS',
  'FROM:',
  'RUN',
  '-FROM',
  '1FROM',
  'FROM1',
  'SYSTEM=',
  'STOP',
  'ſystem',
  'PARAMETEЯ',
  'K',
];
const PARAMETERS = [
  'temperature',
  'top_k',
  'top_p',
  'min_p',
  'typical_p',
  'repeat_penalty',
  'repeat_last_n',
  'presence_penalty',
  'frequency_penalty',
  'stop',
  'seed',
  'num_ctx',
  'num_predict',
  'num_keep',
  'num_batch',
  'num_gpu',
  'main_gpu',
  'use_mmap',
  'num_thread',
  'draft_num_predict',
  'mirostat',
  'mirostat_tau',
  'mirostat_eta',
  'penalize_newline',
  'low_vram',
  'f16_kv',
  'logits_all',
  'vocab_only',
  'use_mlock',
  'tfs_z',
  'numa',
  'Temperature',
  'num-ctx',
  'num ctx',
  'topp',
  'model',
  'message',
  'adapter',
  'license',
  'template',
  '',
  '_',
  '9',
  'Stop',
  'runner',
  'é',
];
const NUMBERS = [
  '0',
  '1',
  '-1',
  '+1',
  '0.7',
  '.5',
  '5.',
  '.',
  '-',
  '+',
  '',
  '1e-5',
  '1E5',
  '1e',
  '1e+',
  '1e39',
  '3.4028235e38',
  '3.4028236e38',
  '1e-46',
  '1e-45',
  '7e-46',
  'inf',
  '-Inf',
  '+INFINITY',
  'nan',
  'NaN',
  '-nan',
  '+nan',
  'infin',
  '0x1p-2',
  '0X1.8P3',
  '0x',
  '0x1',
  '0x.8p0',
  '0x1p',
  '1_000',
  '1__0',
  '_1',
  '1_',
  '0x_1p0',
  '1_0.2_5',
  '4096',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775808',
  '-9223372036854775809',
  '007',
  '-0',
  '-0.0',
  '1e400',
  '1e-400',
  '１',
  '16777217',
  '16777216.9999999999999',
  '0.1',
  '0.30000001192092896',
  '1e21',
  '1e20',
  '123456789',
  '1e-6',
  '1e-7',
  '9.9999e-7',
  '1e100000',
  '0.7 # warm',
  'true',
  'false',
  'T',
  'F',
  'tRue',
  'TRUE',
  'yes',
  '0b1',
  '0o7',
  '2147483648',
  '1,5',
  '1.5.2',
];
const ROLES = ['system', 'user', 'assistant', 'User', 'tool', '', 'user:', 'USER', 'assistants', 'sys tem'];
const TEXTS = [
  'You are a helpful assistant.',
  'llama3.2',
  'llama3.2:1b',
  './model.gguf',
  'C:\\model',
  '~/x',
  'hello # not a comment',
  'a: b',
  ': ',
  'user: hi',
  "'single'",
  '`back`',
  '<|im_start|>user\n{{ .Prompt }}<|im_end|>',
  '{{ if .System }}{{ .System }}{{ end }}{{ .Prompt }}',
  '\\n',
  '#',
  '',
  'é',
  '日本語',
  '🦙',
  '👨‍👩‍👧',
  '\u00a0x\u00a0',
  '\u3000',
  '\u2028',
  '\ufeff',
  '\u0000',
  '\u0007',
  '\u00ad',
  '\u200b',
  '\ufffd',
  '\u0301',
  '\ud83e',
  '\udd99',
  '\u{e0100}',
  '\u{10ffff}',
  '\u{1f9ff}',
  '\u{32000}',
  '\u{378}',
  '\u{1734}',
  '\u{e000}',
  '\v',
  '\f',
  '\u0085',
  '<|eot_id|>',
  '0.5',
  'v0.6',
  '0.6',
  '0.14.0',
  'vv1',
  '01.2',
  '1.2.3-rc1',
  '1.2-rc',
  '1.2.3+b.1',
  '1.2.3-01',
  '1.2.3-0a',
  '1.2.3-',
  '1.2.3+',
  'FROM inner',
  '<&>"',
  '\u2029',
];
/** Paths beside the Modelfile: files that `writeFilesForModelfiles` makes, and such as do not exist. */
const PATHS = [
  'model.gguf',
  './model.gguf',
  'hf',
  './hf/',
  'hf/../hf',
  'adapter.gguf',
  'bad',
  'empty',
  '.',
  '',
  'linked',
  'hf/config.json',
  'pickles',
  'model.gguf/x',
  '~',
  '~/none',
  '~nobody-knows/x',
  './missing',
  '/none/at/all',
  'llama3.2',
  'qwen3:4b-q8_0',
  'hf.co/a/b:Q4_K_M',
  'a[b',
  'hf*',
  '\\\\host\\share',
  'mixed',
  'hidden',
  'part-*.gguf',
  './part-0000?-of-00002.gguf',
  'm[1].gguf',
  'm\\[1\\].gguf',
  'm[[]1].gguf',
  '*/config.json',
  'h*',
  'h?/model*',
  '*.gguf',
  'b[a-c]d',
  '[!a]b.gguf',
  '[^a-l]*.gguf',
  'none-*.gguf',
  'odd*',
  'dangling*',
  'Stück-[ü-ý]?.gguf',
  'in[x]side/*.gguf',
  'insid*/a.gguf',
];
/** What patterns are put together from. */
const PATTERN_PARTS = [
  '*',
  '?',
  '[',
  ']',
  '[^',
  '-',
  '\\',
  '**',
  'm',
  '1',
  'part',
  '.gguf',
  '/',
  'hf',
  'é',
  '[a-',
  '[1]',
  '[]a]',
  '[m-p]',
  'hf/..',
  'x',
];
const SPACES = [' ', ' ', ' ', ' ', '\t', '  ', ' \t ', '', '\u00a0', '\n', '\r'];
const NEWLINES = ['\n', '\n', '\n', '\r\n', '\r', '\n\n', '\n \n', ' \n', '\t\r\n'];
const QUOTES = ['"', '"""', '""', '""""', '"""""', '""""""', '"\u200b""', "'", ''];

/** A value in some spelling, right or wrong. */
function value(random: Random, content: string): string {
  const kind = random.below(12);
  if (kind < 4) {
    return content;
  }
  if (kind < 6) {
    return `"""${content}"""`;
  }
  if (kind < 8) {
    return `"${content}"`;
  }
  if (kind < 9) {
    return `"""${random.pick(NEWLINES)}${content}${random.pick(NEWLINES)}${random.pick(TEXTS)}"""`;
  }
  if (kind < 10) {
    return `"${content}${random.pick(NEWLINES)}${random.pick(TEXTS)}"`;
  }
  return `${random.pick(QUOTES)}${content}${random.pick(QUOTES)}${random.chance(0.3) ? random.pick(TEXTS) : ''}${random.pick(QUOTES)}`;
}

function content(random: Random): string {
  return random.times(1, 3, () => random.pick(TEXTS)).join(random.pick([' ', '', '\n', ' ']));
}

/** A number between or beside float32 values, where a rounding through double goes wrong. */
function numberText(random: Random): string {
  if (random.chance(0.6)) {
    return random.pick(NUMBERS);
  }
  const view = new DataView(new ArrayBuffer(8));
  view.setUint32(0, random.below(2 ** 32));
  const single = view.getFloat32(0);
  if (random.chance(0.3) || !Number.isFinite(single)) {
    return String(single);
  }
  view.setUint32(0, view.getUint32(0) + 1);
  const middle = (single + view.getFloat32(0)) / 2;
  const digits =
    Math.abs(middle) < 1 && random.chance(0.5)
      ? middle.toPrecision(random.pick([8, 9, 10, 17, 50, 100]))
      : String(middle);
  return random.chance(0.5) || digits.includes('e')
    ? digits
    : `${digits}${digits.includes('.') ? '' : '.'}000000000000000000000000000000000000000${random.pick(['0', '1'])}`;
}

function instruction(random: Random): string {
  const keyword = random.chance(0.06) ? random.pick(WRONG_KEYWORDS) : random.pick(KEYWORDS);
  const space = random.pick(SPACES);
  switch (keyword.toUpperCase()) {
    case 'PARAMETER': {
      const name = random.pick(PARAMETERS);
      const args = name === 'stop' || random.chance(0.2) ? content(random) : numberText(random);
      return `${keyword}${space}${name}${random.pick(SPACES)}${random.chance(0.7) ? args : value(random, args)}`;
    }
    case 'MESSAGE':
      return `${keyword}${space}${random.pick(ROLES)}${random.pick(SPACES)}${value(random, content(random))}`;
    case 'FROM':
    case 'ADAPTER':
    case 'DRAFT': {
      const path = random.chance(0.7) ? random.pick(PATHS) : random.chance(0.5) ? pattern(random) : content(random);
      return `${keyword}${space}${random.chance(0.7) ? path : value(random, path)}`;
    }
    case 'REQUIRES':
      return `${keyword}${space}${random.chance(0.5) ? random.pick(['0.6', '0.14.0', 'v1', '1.2.3-rc.1+x']) : value(random, content(random))}`;
    default:
      return `${keyword}${space}${value(random, content(random))}`;
  }
}

/** A path with something in it that Go's `filepath.Glob` may take for a pattern, well-formed or not. */
function pattern(random: Random): string {
  // Beside the Modelfile, and nowhere else on the disk.
  return random
    .times(1, 6, () => random.pick(PATTERN_PARTS))
    .join('')
    .replace(/^[\\/]+/, '');
}

/** An instruction as a careful person writes it. */
function plainInstruction(random: Random): string {
  switch (random.below(7)) {
    case 0:
      return `PARAMETER ${random.pick(['temperature', 'top_p', 'min_p', 'repeat_penalty'])} ${numberText(random)}`;
    case 1:
      return `PARAMETER ${random.pick(['num_ctx', 'seed', 'top_k', 'num_predict'])} ${random.below(10000)}`;
    case 2:
      return `PARAMETER stop ${random.pick(['"<|im_end|>"', '<|eot_id|>', '"""a"""', 'User:'])}`;
    case 3:
      return `MESSAGE ${random.pick(['system', 'user', 'assistant'])} ${value(random, random.pick(TEXTS))}`;
    case 4:
      return `SYSTEM """${content(random)}"""`;
    case 5:
      return `${random.pick(['FROM', 'ADAPTER', 'DRAFT', 'from'])} ${random.chance(0.8) ? random.pick(PATHS) : pattern(random)}`;
    default:
      return `TEMPLATE """${random.pick(TEXTS)}"""`;
  }
}

/** A Modelfile that is mostly sensible, with things in it that rarely are. */
export function randomModelfile(random: Random): string {
  const plain = random.chance(0.5);
  const lines = random.times(1, 6, () => {
    if (plain || random.chance(0.5)) {
      return plainInstruction(random);
    }
    const kind = random.below(20);
    if (kind === 0) {
      return `${random.pick(['', ' ', '\t'])}#${random.pick(TEXTS)}`;
    }
    if (kind === 1) {
      return random.pick(TEXTS);
    }
    return `${random.chance(0.05) ? random.pick(['\ufeff', '\u200b', '\u0000', ' ', '\u00a0']) : ''}${instruction(random)}`;
  });
  if (random.chance(0.8)) {
    lines.splice(random.below(lines.length + 1), 0, 'FROM llama3.2');
  }
  return lines.map((line) => line + random.pick(NEWLINES)).join('') + (random.chance(0.3) ? instruction(random) : '');
}

const SPLICES = [
  '"',
  '"""',
  '\n',
  '\r',
  ' ',
  '\t',
  '#',
  '\u0000',
  '\ufeff',
  '🦙',
  'FROM ',
  'MESSAGE user ',
  'PARAMETER stop ',
  ': ',
  '\ud800',
  '\u200d',
  'é',
];

/** One to four small changes: cuts, doublings, swaps, insertions. */
export function mutate(random: Random, text: string): string {
  let result = text;
  for (let n = 1 + random.below(4); n > 0; n -= 1) {
    const at = random.below(result.length + 1);
    const to = Math.min(result.length, at + random.below(12));
    switch (random.below(5)) {
      case 0:
        result = result.slice(0, at) + result.slice(to);
        break;
      case 1:
        result = result.slice(0, to) + result.slice(at);
        break;
      case 2:
        result = result.slice(0, at) + random.pick(SPLICES) + result.slice(at);
        break;
      case 3:
        result = result.slice(0, at) + result.slice(at, to).split('').reverse().join('') + result.slice(to);
        break;
      default:
        result = result.slice(0, at) + result.slice(at, to).toUpperCase() + result.slice(to);
    }
  }
  return result;
}

/** The bytes of a text in one of the encodings that Ollama decodes, sometimes damaged. */
export function encode(random: Random, text: string): Uint8Array {
  const kind = random.below(10);
  let bytes: Uint8Array = new TextEncoder().encode(text);
  if (kind >= 5 && kind < 7) {
    bytes = Uint8Array.of(0xef, 0xbb, 0xbf, ...bytes);
  } else if (kind >= 7) {
    const little = kind < 9;
    const view = new DataView(new ArrayBuffer(2 * text.length + 2));
    view.setUint16(0, 0xfeff, little);
    for (let i = 0; i < text.length; i += 1) {
      view.setUint16(2 * i + 2, text.charCodeAt(i), little);
    }
    bytes = new Uint8Array(view.buffer);
  }
  if (random.chance(0.4)) {
    const damaged = Array.from(bytes);
    for (let n = 1 + random.below(4); n > 0; n -= 1) {
      const byte = random.pick([
        0x80, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff, 0xfe, 0xa0, 0xd8, 0xdc, 0x00,
      ]);
      damaged.splice(
        random.below(damaged.length + 1),
        random.below(2),
        byte,
        ...(random.chance(0.5) ? [random.below(256)] : []),
      );
    }
    bytes = Uint8Array.from(damaged);
  }
  return bytes;
}
