// What can go wrong, what this product does then, and the tests that show it. docs/security.md is written from it:
// `node scripts/docs/write-security.mjs`. Each test is a file and a part of the name that it has there.

/** @type {readonly (readonly [id: string, threat: string, promise: string, tests: readonly (readonly [file: string, name: string])[]])[]} */
export const THREATS = [
  [
    'G1',
    'A GGUF that announces absurd counts',
    'refused before any loop or allocation',
    [['test/hostile/gguf.test.ts', 'G1']],
  ],
  ['G2', 'Texts and arrays longer than the file', 'refused with the offset', [['test/hostile/gguf.test.ts', 'G2']]],
  ['G3', 'Nested arrays and unknown types', 'refused', [['test/hostile/gguf.test.ts', 'G3']]],
  ['G4', 'Impossible dimensions', 'refused; empty tensors are read', [['test/hostile/gguf.test.ts', 'G4']]],
  ['G5', 'Sizes that overflow', 'exact arithmetic, refused', [['test/hostile/gguf.test.ts', 'G5']]],
  ['G6', 'Tensors outside the file, over each other or out of order', 'refused', [['test/hostile/gguf.test.ts', 'G6']]],
  ['G7', 'Alignment that cannot be', 'refused', [['test/hostile/gguf.test.ts', 'G7']]],
  [
    'G8',
    'Keys twice, empty, or named like parts of objects',
    'refused, or kept as plain text',
    [['test/hostile/gguf.test.ts', 'G8']],
  ],
  ['G9', 'Known keys of a wrong type', 'refused', [['test/hostile/gguf.test.ts', 'G9']]],
  ['G10', 'Cut, empty, old or big-endian files', 'a clear word for each', [['test/hostile/gguf.test.ts', 'G10']]],
  [
    'G11',
    'Names that are no text, or not what they look like',
    'shown escaped, NUL refused',
    [['test/hostile/gguf.test.ts', 'G11']],
  ],
  [
    'G12',
    'A vocabulary that ends the runtime',
    'files are checked before they are sent to a server',
    [['test/ollama/createModel.test.ts', 'at most about a Modelfile that is wrong']],
  ],
  [
    'G13',
    'Any mutation of a file',
    'a typed error at worst, in bounded time and memory',
    [['test/hostile/property.test.ts', 'G13']],
  ],
  ['S1', 'Headers of impossible length', 'refused before they are read', [['test/hostile/safetensors.test.ts', 'S1']]],
  ['S2', 'Overlaps, holes, bytes after the end', 'refused', [['test/hostile/safetensors.test.ts', 'S2']]],
  ['S3', 'Keys twice, also escaped', 'refused', [['test/hostile/safetensors.test.ts', 'S3']]],
  ['S4', 'Shapes and numbers that cannot be', 'refused', [['test/hostile/safetensors.test.ts', 'S4']]],
  [
    'S5',
    'A shard index that leads elsewhere or never ends',
    'plain names only, at most 10,000 files, one reader for scan, inspect and build',
    [
      ['test/hostile/shardIndex.test.ts', 'S5'],
      ['test/hostile/growth.test.ts', 'shards that are missing'],
    ],
  ],
  [
    'S6',
    'NaN and infinite weights',
    'counted and told',
    [
      ['test/run/kill.test.ts', 'remembers that a finished part held NaN'],
      ['test/engine/values.test.ts', 'NaN and infinity in a base'],
    ],
  ],
  [
    'S7',
    'An adapter that does not fit its base',
    'refused before the first byte is written',
    [['test/adapters/matchBase.test.ts', 'another width with the same hidden size names the module and both shapes']],
  ],
  [
    'S8',
    'An input that changes while it is read',
    'the run ends and keeps nothing',
    [
      ['test/run/inputs.test.ts', 'S8'],
      ['test/hostile/files.test.ts', 'S8'],
    ],
  ],
  [
    'S9',
    'Pipes, devices, folders and dangling links as inputs',
    'refused, nothing is waited for',
    [
      ['test/hostile/files.test.ts', 'S9'],
      ['test/run/inputs.test.ts', 'S9'],
    ],
  ],
  ['P1', 'Pickles under any name', 'told by content, never loaded', [['test/hostile/pickle.test.ts', 'P1']]],
  [
    'P2',
    'A pickle that is asked about',
    'its imports are listed, it is never called safe',
    [['test/hostile/pickle.test.ts', 'P2']],
  ],
  ['P3', 'Archives that lie', 'listed with limits, never unpacked', [['test/hostile/pickle.test.ts', 'P3']]],
  [
    'T1',
    'A Jinja template that is out to run code',
    'runs in a thread without environment or clock, and is ended',
    [['test/chatTemplate/jinjaProcess.test.ts', 'neither the environment nor the clock']],
  ],
  [
    'T2',
    'A template without end',
    'a budget of steps and of text',
    [
      ['test/goTemplate/budget.test.ts', 'a template that would not end'],
      ['test/chatTemplate/jinjaProcess.test.ts', 'one that hangs'],
    ],
  ],
  [
    'T3',
    'A template that hides instructions',
    'told, and not taken over',
    [['test/chatTemplate/suspiciousJinja.test.ts', 'templates that do more than format']],
  ],
  [
    'T4',
    'Control characters and markup in names',
    'escaped in terminals, lists and pages',
    [
      ['test/extension/artefactTree.test.ts', 'escapes what a file calls itself'],
      ['test/extension/jobRunner.test.ts', 'lets no control character through'],
    ],
  ],
  [
    'T5',
    'Texts that make a reader slow',
    'time grows with length',
    [
      ['test/goTemplate/budget.test.ts', 'takes time in proportion to its length'],
      ['test/hostile/growth.test.ts', 'MESSAGE lines'],
    ],
  ],
  [
    'O1',
    'An Ollama server of another version',
    'asked first; what it cannot do is not sent',
    [['test/ollama/ollamaProfile.test.ts', 'the profile of a version']],
  ],
  [
    'O2',
    'A digest used as a path',
    'sha256 and 64 digits, nothing else',
    [
      ['test/ollama/lineSplitter.test.ts', 'are sha256 and 64 digits, nothing else'],
      ['test/ollama/upload.test.ts', 'build no address from a digest that is none'],
      ['test/hub/lies.test.ts', 'a checksum that is a path'],
    ],
  ],
  [
    'O3',
    'Names that lead to other registries',
    'no registry but that of Ollama unless it is named',
    [['test/registry/registryFaults.test.ts', 'asks no registry but that of Ollama']],
  ],
  [
    'O4',
    'A workspace that sets the server',
    'settings of this kind are the user’s; another machine is asked about once',
    [
      ['test/extension/manifest.test.ts', 'cannot be set by a workspace'],
      ['test/e2e/ollama.test.ts', 'asks once before another machine is used'],
    ],
  ],
  [
    'O5',
    'A token that is sent elsewhere',
    'it goes to the hub’s own origin only',
    [
      ['test/hub/fetch.test.ts', 'gives the token to the hub and to nobody else'],
      ['test/hub/network.test.ts', 'hub and content alike'],
    ],
  ],
  [
    'O6',
    'Answers without end, without sense, or cut',
    'limits of lines, answers, pages and time',
    [
      ['test/ollama/client.test.ts', 'a line of a gigabyte'],
      ['test/registry/registryFaults.test.ts', 'silent, drips or hangs up'],
      ['test/hub/lies.test.ts', 'empty pages for ever'],
    ],
  ],
  [
    'O7',
    'Cancel in mid-upload',
    'closed within 250 ms, other work is left alone',
    [
      ['test/ollama/upload.test.ts', 'are cancelled within 250 ms'],
      ['test/ollama/createModel.test.ts', 'leaves other work alone'],
    ],
  ],
  [
    'O8',
    'Content that is not what was announced',
    'compared by checksum; a name is given last',
    [
      ['test/ollama/upload.test.ts', 'not what was announced'],
      ['test/hub/fetch.test.ts', 'throws away what arrives damaged'],
    ],
  ],
  [
    'O9',
    'Paths to other machines in a Modelfile',
    'never touched',
    [
      ['test/modelfile/fileRules.test.ts', 'paths that are never touched'],
      ['test/lsp/untouched.test.ts', 'in an untrusted workspace'],
    ],
  ],
  [
    'O10',
    'A server that others can reach',
    'known by its address',
    [['test/ollama/address.test.ts', 'knows this machine by all its names, and no other']],
  ],
  [
    'X1',
    'Names that a shell would run',
    'no shell is ever started',
    [
      ['test/architecture/layers.test.ts', 'never starts a shell'],
      ['test/e2e/ollama.test.ts', 'runs a model in a terminal, without a shell'],
    ],
  ],
  [
    'X2',
    'Names that look like options',
    'taken as they are',
    [['test/run/output.test.ts', 'a name that begins with a dash or holds shell signs']],
  ],
  [
    'X3',
    'Programs planted in the working folder',
    'programs are looked for in absolute folders only',
    [['test/architecture/security.test.ts', 'X3']],
  ],
  [
    'X4',
    'Secrets in the environment of children',
    'a list of variables is passed to the server that is started',
    [['test/run/children.test.ts', 'X4 secrets of the environment']],
  ],
  [
    'X5',
    'Children that outlive a cancel',
    'ended by force after eight seconds',
    [['test/run/children.test.ts', 'X5 a child that does not want to end']],
  ],
  [
    'X6',
    'The editor or terminal is killed',
    'the engine ends; the next run goes on or takes the space back',
    [
      ['test/extension/jobRunner.test.ts', 'leave what can be resumed when the process that forked them goes away'],
      ['test/run/killOthers.test.ts', 'the next run takes the space back'],
    ],
  ],
  ['X7', 'A worker that dies', 'a typed error', [['test/run/inputs.test.ts', 'a worker that dies']]],
  [
    'X8',
    'A flood of output of a child',
    'its beginning or its end is kept, up to a length',
    [['test/run/children.test.ts', 'X8 a child that floods']],
  ],
  [
    'W1',
    'Killed at any moment',
    'what has its name is whole',
    [
      ['test/run/kill.test.ts', 'W1 W6 kill -9'],
      ['test/run/killOthers.test.ts', 'W1 kill -9'],
    ],
  ],
  [
    'W2',
    'Writes in the wrong order',
    'bytes reach the disk before the name does',
    [['test/run/publish.test.ts', 'bytes reach the disk before the name']],
  ],
  [
    'W3',
    'A full disk',
    'known before the start where it can be; nothing half is left',
    [['test/run/disk.test.ts', 'W3']],
  ],
  ['W4', 'An output that is an input', 'refused, by whatever name', [['test/run/output.test.ts', 'W4']]],
  ['W5', 'An output that exists', 'kept without --force', [['test/run/output.test.ts', 'W5']]],
  ['W6', 'A run that goes on', 'the bytes of an undisturbed one', [['test/run/kill.test.ts', 'W1 W6']]],
  [
    'W7',
    'Two runs to one place',
    'the second is told',
    [
      ['test/run/output.test.ts', 'W7'],
      ['test/hub/lies.test.ts', 'two fetches'],
    ],
  ],
  [
    'W8',
    'Files that look like ours',
    'never deleted, never written through',
    [
      ['test/run/output.test.ts', 'W8'],
      ['test/hub/lies.test.ts', 'under the name of an unfinished file is not written to'],
      ['test/ollama/temporaryFolder.test.ts', 'and nothing else'],
    ],
  ],
  [
    'W9',
    'Names that a system cannot have',
    'refused',
    [
      ['test/run/output.test.ts', 'W9'],
      ['test/hostile/shardIndex.test.ts', 'S5 names'],
    ],
  ],
  ['W10', 'Places that cannot be written', 'said, with the path', [['test/run/disk.test.ts', 'W10']]],
  ['W11', 'Results that differ from run to run', 'same inputs, same bytes', [['test/run/inputs.test.ts', 'W11']]],
  ['W12', 'Memory that grows with the model', 'it does not', [['test/run/memory.test.ts', 'W12']]],
  [
    'V1',
    'A workspace that is not trusted',
    'nothing is run, scanned, sent or written',
    [['test/e2e/trust.test.ts', 'refuses every command']],
  ],
  [
    'V2',
    'Settings as weapons',
    'those that name programs, hosts or folders are the user’s',
    [['test/extension/manifest.test.ts', 'cannot be set by a workspace']],
  ],
  [
    'V3',
    'A file that would run in a page',
    'shown as text under a strict policy',
    [
      ['test/viewer/page.test.ts', 'takes nothing that comes from a file'],
      ['test/e2e/viewer.test.ts', 'shows a hostile file as text'],
    ],
  ],
  [
    'V4',
    'Forged arguments of commands',
    'count as nothing',
    [['test/extension/proposals.test.ts', 'that are junk or forged count as nothing']],
  ],
  [
    'V5',
    'Addresses that links could call',
    'none',
    [['test/extension/manifest.test.ts', 'no address that links could call']],
  ],
  [
    'V6',
    'Secrets in settings, state and logs',
    'tokens are in no setting, state, file, argument or message',
    [['test/run/children.test.ts', 'V6 the token of the hub']],
  ],
  [
    'V7',
    'Tasks of a malicious repository',
    'the editor runs none without trust; what is wrong in one is refused as it is of a command',
    [['test/extension/proposals.test.ts', 'that are wrong are refused with the reason']],
  ],
  [
    'V8',
    'A huge file in the viewer',
    'there within 300 ms, read in a thread',
    [['test/viewer/viewerSession.test.ts', '100 GB are there within 300 ms']],
  ],
  [
    'V9',
    'An extension host that is held up',
    'work runs in processes and threads',
    [['test/e2e/commands.test.ts', 'blocks nothing in the extension host']],
  ],
  [
    'V10',
    'A language server that loses its way',
    'random edits, looked at from everywhere',
    [['test/lsp/robustness.test.ts', 'edits, each looked at from everywhere']],
  ],
  ['C1', 'A package that gets into the bundle', 'only those of a list', [['test/architecture/security.test.ts', 'C1']]],
  [
    'C2',
    'Workflows that are taken over',
    'actions are pinned by digest, and pull requests get no secrets',
    [['test/release/package.test.ts', 'pins what it uses by digest']],
  ],
  [
    'C3',
    'A package with too much in it',
    'a list of what is in it',
    [['test/extension/manifest.test.ts', 'holds what runs, and nothing else']],
  ],
  [
    'C4',
    'Code that is downloaded to be run',
    'none is: no code is made from text, and modules come from the package alone',
    [['test/architecture/security.test.ts', 'C4 code from elsewhere']],
  ],
  ['C5', 'Extensions that bring others', 'none', [['test/extension/manifest.test.ts', 'brings no other extension']]],
  [
    'C6',
    'Requests that nobody asked for',
    'the network is in named files only',
    [['test/architecture/security.test.ts', 'C6']],
  ],
];

/** Branches by system that tests on Linux cannot run. */
export const NOT_RUN_HERE = [
  ['src/node/hub/hubStore.ts', 'Windows without the right to make links: content is put under its name'],
  ['src/node/hub/incompleteFile.ts', 'Windows has no O_NOFOLLOW and no O_NONBLOCK: lstat alone tells'],
  ['src/node/output/outputLock.ts', 'without /proc the number of a process alone tells whether it lives'],
];
