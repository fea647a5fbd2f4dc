import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;
const installer = new URL('../../scripts/install/installNeovim.mjs', import.meta.url).href;

interface NeovimReport {
  readonly diagnostics: readonly {
    readonly code?: string;
    readonly message: string;
    readonly lnum: number;
    readonly severity: number;
    readonly source: string;
  }[];
  readonly hover: string;
  readonly formatted: readonly string[];
}

/** Waits for both diagnostics, asks for a hover, formats, and writes what came. */
const SCRIPT = `
local done = vim.wait(20000, function() return #vim.diagnostic.get(0) > 1 end, 50)
local report = { diagnostics = {}, hover = '', formatted = {} }
for _, d in ipairs(vim.diagnostic.get(0)) do
  table.insert(report.diagnostics, { message = d.message, lnum = d.lnum, severity = d.severity, source = d.source })
end
local params = { textDocument = vim.lsp.util.make_text_document_params(), position = { line = 0, character = 1 } }
local answers = vim.lsp.buf_request_sync(0, 'textDocument/hover', params, 5000) or {}
for _, answer in pairs(answers) do report.hover = answer.result.contents.value end
params.options = { tabSize = 2, insertSpaces = true }
answers = vim.lsp.buf_request_sync(0, 'textDocument/formatting', params, 5000) or {}
for _, answer in pairs(answers) do vim.lsp.util.apply_text_edits(answer.result, vim.api.nvim_get_current_buf(), 'utf-16') end
report.formatted = vim.api.nvim_buf_get_lines(0, 0, -1, false)
local file = io.open(os.getenv('REPORT'), 'w')
file:write(vim.json and vim.json.encode(report) or vim.fn.json_encode(report))
file:close()
vim.cmd('qall!')
`;

const { findNeovims } = (await import(installer)) as { readonly findNeovims: () => string[] };
const neovims = findNeovims();

describe('Neovim with the configuration of the documentation', () => {
  let folder = '';
  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'modelfile-neovim-')));
    await build({
      entryPoints: [join(root, 'language-server/src/server/main.ts')],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node22',
      loader: { '.wasm': 'binary' },
      outfile: join(folder, 'server.js'),
      logLevel: 'error',
    });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  if (neovims.length === 0) {
    it('is not here (NVIM_BIN, the path, or scripts/install/installNeovim.mjs)', (context) => context.skip());
  }

  it.each(neovims)(
    '%s opens a Modelfile, shows its diagnostics, hovers and formats',
    { timeout: 120_000 },
    async (neovim) => {
      const modelfile = join(folder, 'Modelfile');
      const script = join(folder, 'check.lua');
      const report = join(folder, 'report.json');
      writeFileSync(modelfile, 'from ./none.gguf\nPARAMETER seed 1\n\n\n\nSYSTEM ""\n');
      writeFileSync(script, SCRIPT);
      const command = `let g:modelfile_server = ['${process.execPath}', '${join(folder, 'server.js')}', '--stdio']`;
      const args = [
        '--headless',
        '-u',
        'NONE',
        '--cmd',
        command,
        '--cmd',
        `luafile ${join(root, 'language-server/editors/neovim.lua')}`,
        modelfile,
        '-c',
        `luafile ${script}`,
      ];
      const { stdout: version } = await promisify(execFile)(neovim, ['--version']);
      // A script that fails leaves Neovim waiting: the time-out ends it.
      await promisify(execFile)(neovim, args, {
        timeout: 60_000,
        env: {
          ...process.env,
          REPORT: report,
          HOME: folder,
          XDG_STATE_HOME: folder,
          XDG_CACHE_HOME: folder,
          OLLAMA_HOST: '127.0.0.1:9',
        },
      });
      const found = JSON.parse(readFileSync(report, 'utf8')) as NeovimReport;
      expect(
        found.diagnostics.map(({ lnum, severity, source }) => [lnum, severity, source]),
        version.split('\n')[0],
      ).toEqual([
        [0, 3, 'modelfile'],
        [5, 2, 'modelfile'],
      ]);
      expect(found.diagnostics[0]?.message).toContain('./none.gguf does not exist');
      expect(found.hover).toContain('FROM name or path');
      expect(found.formatted).toEqual(['FROM ./none.gguf', 'PARAMETER seed 1', '', 'SYSTEM ""']);
    },
  );
});
