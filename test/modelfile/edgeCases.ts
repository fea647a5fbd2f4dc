/**
 * Modelfiles written by hand: shapes that people use, and one for every corner of the grammar. What Ollama makes of
 * them is in `test/conformance/modelfiles.jsonl`, made by `node scripts/record/record-modelfiles.mjs`.
 */
const SHAPES: readonly string[] = [
  'FROM llama3.2',
  'FROM llama3.2\n',
  'FROM ./model.gguf\n\nPARAMETER temperature 0.7\nPARAMETER num_ctx 8192\nSYSTEM You are Mario from Super Mario Bros.\n',
  'FROM qwen3:4b\nTEMPLATE """{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n"""\nPARAMETER stop <|im_start|>\nPARAMETER stop <|im_end|>\n',
  'FROM hf\nTEMPLATE {{ .Prompt }}\nLICENSE """MIT\nDo what you like.\n"""\nLICENSE Apache-2.0\n',
  'FROM llama3.1\nADAPTER adapter.gguf\nMESSAGE user Is Toronto in Canada?\nMESSAGE assistant yes\nMESSAGE user Is Sacramento in Canada?\nMESSAGE assistant no\n',
  '# A comment\nFROM llama3.2 \n  # another\n\tPARAMETER top_k 20\n',
  'FROM model.gguf\nFROM adapter.gguf\nPARAMETER num_gpu 99\n',
  'from llama3.2\nparameter Stop x\n',
  'from llama3.2\nParameter stop "a b"\nparameter stop """c"""\nPARAMETER stop \'d\'\n',
  'SYSTEM hi\nFROM llama3.2\n',
  'FROM hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M\nRENDERER qwen3-coder\nPARSER qwen3-coder\nREQUIRES 0.14.0\n',
  'FROM ./model.gguf\nDRAFT ./adapter.gguf\nPARAMETER draft_num_predict 8\n',
  'FROM ./model.gguf\nDRAFT model.gguf\n',
  'DRAFT model.gguf\nFROM hf/../model.gguf\n',
  'FROM llama3.2\r\nPARAMETER seed 42\r\nSYSTEM """a\r\nb"""\r\n',
  'FROM llama3.2\rPARAMETER seed 42\rSYSTEM "a\rb"\r',
  'FROM llama3.2\nSYSTEM """\nYou are terse.\n\nAnswer in one line.\n"""\nPARAMETER temperature 1e-5\nPARAMETER mirostat 2\nPARAMETER use_mmap t\n',
];

/** Values with every quoting, for SYSTEM and MESSAGE. */
const VALUES: readonly string[] = [
  '', ' ', 'a', '"a"', '"""a"""', '""', '""""', '"""""', '""""""', '"""""""', '"', '"""', '"a', 'a"', '"a" b', '"a" "b"', '"""a""" b', '"""a" """', '"a"""', '"""a"', '""a""', "'a'", "'a\nb'",
  '"a\nb"', '"a\n\nb"', '"""a\n"b"\nc"""', '"""\n"""', '"\n"', '"\n\n"', ' "a" ', '\t"""a"""\t', '"a"\t', 'a # b', '"a" # b', '"a # b"', '#', 'a\\nb', 'a\\', '"a\\"b"', '"""a\\"""', '`a`', 'FROM b',
  '"a\nFROM b"', '"a\nFROM b', '"a\nPARAMETER stop "b"', '"""a\nb', 'é', '"日本"', '🦙', '"""👩‍💻"""', '\u00a0a\u00a0', '\u2003a', '"\u200ba\u200b"', '\u200b"a"', '"a"\u200b', '"""a""\u200b"', '\u0000a\u0007b', '\ufeffa', 'a\u2028b', 'a\vb\fc',
  '\ufffd', '\u{e000}', '\u{10ffff}', '\u0378', '\u{1f98a}', '\u{31350}', '\u{2ebf0}', '{{ .Prompt }}', '"""{{ .Prompt }}', ': ', 'a: b', '  leading and trailing  ',
];

const HEADS: readonly string[] = [
  'FROM', 'FROM\n', 'FROM ', 'FROM  ', 'FROM\t', 'FROM\t\n', 'FROM \n', 'FROM\r\n', 'FROM a', ' FROM a', '\tFROM a', '\n\nFROM a', 'FROMa', 'FROM:a', 'FROM=a', 'FROM1 a', '1FROM a', '-FROM a', 'FRoM a', 'F', 'FRO', '', ' ', '\n', '#', '#\n', '# FROM a',
  '#FROM a\nFROM b', 'FROM a #', 'FROM a\n#', 'FROM a\n#b', 'FROM a\n#b\n', 'FROM a\n  #b\nSYSTEM # c', '\ufeffFROM a', '\u200bFROM a', '\u0000FROM a', '\u0000\u0000FROM a', '\u00a0FROM a', ' \u3000FROM a', 'F\u200bROM a', 'FROM\u00a0a', 'ＦＲＯＭ a', 'FROM a\nFROM', 'FROM a\nfoo', 'FROM a\nfoo\n', 'FROM a\nfoo bar',
  'FROM a\n\n\nfoo bar', 'FROM a\r\n\r\nfoo bar', 'FROM a\rfoo bar\n', 'FROM a\nSYSTEM b\nc\nd', 'SYSTEM a', 'PARAMETER model b', 'PARAMETER model b\nSYSTEM c', 'FROM a\nPARAMETER', 'FROM a\nPARAMETER\n', 'FROM a\nPARAMETER ', 'FROM a\nPARAMETER \n', 'FROM a\nPARAMETER stop', 'FROM a\nPARAMETER stop\n', 'FROM a\nPARAMETER stop ',
  'FROM a\nPARAMETER stop \n', 'FROM a\nPARAMETER  stop b', 'FROM a\nPARAMETER num-ctx 1', 'FROM a\nPARAMETER num.ctx 1', 'FROM a\nPARAMETER "stop" b', 'FROM a\nPARAMETER stop=b', 'FROM a\nPARAMETER é b', 'FROM a\nPARAMETER st\u200bop b', 'FROM a\nPARAMETER stop\tb', 'FROM a\nMESSAGE', 'FROM a\nMESSAGE\n', 'FROM a\nMESSAGE user',
  'FROM a\nMESSAGE user\n', 'FROM a\nMESSAGE user ', 'FROM a\nMESSAGE  user b', 'FROM a\nMESSAGE User b', 'FROM a\nMESSAGE tool b', 'FROM a\nMESSAGE user: b', 'FROM a\nMESSAGE 1 b', 'FROM a\nMESSAGE user\tb', 'FROM a\nMESSAGE user "b', 'FROM a\nMESSAGE user b\nSYSTEM c\nMESSAGE assistant d',
  'FROM a\nPARAMETER message user: b', 'FROM a\nPARAMETER message user', 'FROM a\nPARAMETER message ": "', 'FROM a\nPARAMETER license b\nLICENSE c', 'FROM a\nPARAMETER adapter adapter.gguf', 'FROM a\nPARAMETER requires 1', 'FROM a\nPARAMETER FROM b', 'FROM a\nPARAMETER From b', 'FROM a\nSYSTEM b\nSYSTEM c', 'FROM a\nTEMPLATE b\nTEMPLATE ""',
];

const PARAMETERS: readonly (readonly [string, readonly string[]])[] = [
  ['temperature', ['0.7', '0', '-0', '.5', '5.', '1e-5', '1E+2', '1e', 'hot', '', 'inf', '-Infinity', 'nan', 'NaN', '+nan', '3.4028235e38', '3.4028235677973366e38', '3.4028235677973365e38', '1e39', '-1e39', '1e-46', '7.0064923216240853e-46', '7.0064923216240854e-46', '0x1p-3', '0x1.fffffep127', '0x1.ffffffp127', '0x', '1_0', '1__0', '0x_1p0', '16777217', '16777217.0000000000000001', '33554434.5', '1140254.25', '1e21', '1e20', '9.999999e-7', '0.000001', '0.1', '8.5e-5', '1,5', '０', '"0.5"', '"""0.5"""', '0.7 # warm', '5e-324']],
  ['num_ctx', ['4096', '0', '-1', '+5', '1.5', '1e3', '0x10', '1_000', '', 'x', '9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809', '00012', '12 13']],
  ['use_mmap', ['true', 'True', 'TRUE', 't', 'T', '1', 'false', 'F', '0', 'yes', 'tRUE', '']],
  ['main_gpu', ['0', '-1', 'a']],
  ['stop', ['a', '', '"\n"', '\\n', '"""', '<|eot_id|>']],
  ['mirostat', ['1', 'whatever', '']],
  ['tfs_z', ['1']],
  ['numa', ['true']],
  ['runner', ['1']],
  ['Temperature', ['1']],
];

const REQUIRES: readonly string[] = ['0.6', '0.14.0', 'v0.14.0', '1', 'v', 'vv1', '01', '1.02', '1.2.3.4', '1.2.3-rc1', '1.2-rc1', '1.2.3-01', '1.2.3-0a.b-c', '1.2.3-', '1.2.3+', '1.2.3+01', '1.2.3-a+b', '', 'latest', '>=0.6', '0.6.', ' 0.6 '];

const PATHS: readonly string[] = [
  'model.gguf', './hf', 'hf/', '.', 'bad', 'empty', 'linked', 'pickles', 'mixed', 'hidden', 'model.gguf/x', 'a[b', 'missing.gguf', '/none/at/all', '"model.gguf"', 'hf/nested', 'hf/chat_template.jinja', 'x'.repeat(300),
];

const WITH_BYTES: readonly (readonly [string, readonly number[]])[] = [
  ['UTF-8 mark', [0xef, 0xbb, 0xbf, ...ascii('FROM a')]],
  ['two UTF-8 marks', [0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf, ...ascii('FROM a')]],
  ['UTF-8 mark and ill-formed bytes', [0xef, 0xbb, 0xbf, ...ascii('FROM a\nSYSTEM '), 0xf0, 0x9f, 0xa6, 0x20, 0xe2, 0x82]],
  ['ill-formed bytes', [...ascii('FROM a\nSYSTEM '), 0xf0, 0x9f, 0xa6, 0x20, 0xe2, 0x82, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf4, 0x90]],
  ['ill-formed first byte', [0xff, ...ascii('FROM a')]],
  ['half a mark', [0xef, 0xbb, ...ascii('FROM a')]],
  ['UTF-16LE', [0xff, 0xfe, ...utf16('FROM a\r\nSYSTEM é🦙', true)]],
  ['UTF-16BE', [0xfe, 0xff, ...utf16('FROM a\r\nSYSTEM é🦙', false)]],
  ['UTF-16LE with an odd byte', [0xff, 0xfe, ...utf16('FROM a', true), 0x61]],
  ['UTF-16LE with lone surrogates', [0xff, 0xfe, ...utf16('FROM a\nSYSTEM \ud800x\udc00\udc00y\ud800\ud800z\udc00', true)]],
  ['UTF-16LE cut in a pair', [0xff, 0xfe, ...utf16('FROM a\nSYSTEM \ud83e', true), 0xdd]],
  ['UTF-16LE without a mark', utf16('FROM a', true)],
  ['a mark alone', [0xff, 0xfe]],
  ['one byte', [0xff]],
];

function ascii(text: string): number[] {
  return Array.from(text, (char) => char.charCodeAt(0));
}

function utf16(text: string, littleEndian: boolean): number[] {
  return Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)).flatMap((unit) =>
    littleEndian ? [unit & 0xff, unit >> 8] : [unit >> 8, unit & 0xff],
  );
}

/** All of them as bytes. */
export function edgeCases(): Uint8Array[] {
  const texts = [
    ...SHAPES,
    ...HEADS,
    ...VALUES.flatMap((value) => [`FROM a\nSYSTEM ${value}\n`, `FROM a\nMESSAGE user ${value}`, `FROM ${value}`]),
    ...PARAMETERS.flatMap(([name, values]) => values.map((value) => `FROM a\nPARAMETER ${name} ${value}\n`)),
    ...REQUIRES.map((version) => `FROM a\nREQUIRES ${version}\n`),
    ...PATHS.flatMap((path) => [`FROM ${path}\n`, `FROM a\nADAPTER ${path}\n`, `FROM a\nDRAFT ${path}\n`]),
  ];
  return [...texts.map((text) => new TextEncoder().encode(text)), ...WITH_BYTES.map(([, bytes]) => Uint8Array.from(bytes))];
}
