import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type * as api from 'vscode';

/** What every test inside the extension host is given. */
export interface HostContext {
  readonly vscode: typeof api;
  /** The sample workspace. */
  readonly folder: string;
}

const ID = 'modelfile-studio.modelfile-studio';

async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  timeout = 20_000,
): Promise<T> {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) {
      return value;
    }
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function open({ vscode, folder }: HostContext, name: string): Promise<api.TextDocument> {
  const document = await vscode.workspace.openTextDocument(vscode.Uri.file(join(folder, name)));
  await vscode.window.showTextDocument(document, { preview: false });
  return document;
}

const codesOf = ({ vscode }: HostContext, document: api.TextDocument): string[] =>
  vscode.languages
    .getDiagnostics(document.uri)
    .map(({ code }) => (typeof code === 'object' ? String(code.value) : String(code)));

async function withText(
  context: HostContext,
  name: string,
  text: string,
  work: (document: api.TextDocument) => Promise<void>,
): Promise<void> {
  const { vscode, folder } = context;
  const uri = vscode.Uri.file(join(folder, name));
  await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));
  try {
    await work(await open(context, name));
  } finally {
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
    await vscode.workspace.fs.delete(uri);
  }
}

/** Tests that need no pointer and no screen: they run in the extension host of any VS Code, on the sample workspace. */
export const HOST_SUITE: Readonly<Record<string, (context: HostContext) => Promise<void>>> = {
  'activates within 100 ms': async ({ vscode }) => {
    const extension = vscode.extensions.getExtension(ID);
    assert.ok(extension, 'the extension is not installed');
    // From the outside: the bundle is read, compiled and run, unless something woke the extension before.
    const begun = performance.now();
    const { activationMs } = (await extension.activate()) as { readonly activationMs: number };
    const whole = performance.now() - begun;
    console.log(`activate() ${activationMs.toFixed(1)} ms, with loading ${whole.toFixed(1)} ms`);
    assert.ok(activationMs < 100, `activation took ${activationMs.toFixed(1)} ms`);
    assert.ok(whole < 1000, `loading and activation took ${whole.toFixed(1)} ms`);
  },

  'registers every command that it contributes, all in one category': async ({ vscode }) => {
    const extension = vscode.extensions.getExtension(ID);
    await extension?.activate();
    const manifest = extension?.packageJSON as {
      readonly contributes: { readonly commands: readonly { readonly command: string; readonly category: string }[] };
    };
    const registered = new Set(await vscode.commands.getCommands(true));
    const missing = manifest.contributes.commands
      .map(({ command }) => command)
      .filter((command) => !registered.has(command));
    assert.deepEqual(missing, []);
    assert.deepEqual([...new Set(manifest.contributes.commands.map(({ category }) => category))], ['Modelfile Studio']);
  },

  'knows a Modelfile by its name': async (context) => {
    for (const name of ['Modelfile', 'broken.modelfile']) {
      assert.equal((await open(context, name)).languageId, 'modelfile');
    }
    await withText(context, 'Modelfile.q4', 'FROM ./base\n', async (document) => {
      assert.equal(document.languageId, 'modelfile');
      return Promise.resolve();
    });
  },

  "reports Ollama's errors, and only those as errors": async (context) => {
    const { vscode } = context;
    const broken = await open(context, 'broken.modelfile');
    const codes = await until('diagnostics', () => codesOf(context, broken).length >= 2 && codesOf(context, broken));
    assert.ok(codes.includes('modelfile/unknown-parameter'), codes.join());
    assert.ok(codes.includes('modelfile/template-syntax'), codes.join());
    const good = await open(context, 'Modelfile');
    await until('the warning about the adapter folder', () => codesOf(context, good).length > 0);
    assert.deepEqual(
      vscode.languages.getDiagnostics(good.uri).filter(({ severity }) => severity === vscode.DiagnosticSeverity.Error),
      [],
    );
  },

  'fixes a misspelt parameter, and takes it back': async (context) => {
    const { vscode } = context;
    await withText(context, 'fix.modelfile', 'FROM ./base\nPARAMETER temprature 0.7\n', async (document) => {
      const found = await until('the diagnostic', () =>
        vscode.languages.getDiagnostics(document.uri).find(({ message }) => message.includes('temprature')),
      );
      const actions = await vscode.commands.executeCommand<api.CodeAction[]>(
        'vscode.executeCodeActionProvider',
        document.uri,
        found.range,
        vscode.CodeActionKind.QuickFix.value,
      );
      const fix = actions.find(({ edit }) => edit !== undefined);
      assert.ok(fix?.edit, 'no quick fix with an edit');
      await vscode.workspace.applyEdit(fix.edit);
      assert.equal(document.getText(), 'FROM ./base\nPARAMETER temperature 0.7\n');
      await vscode.commands.executeCommand('undo');
      assert.match(document.getText(), /temprature/);
    });
  },

  'completes instructions, parameters and paths': async (context) => {
    const { vscode } = context;
    const labels = async (document: api.TextDocument, line: number, character: number): Promise<string[]> => {
      const list = await vscode.commands.executeCommand<api.CompletionList>(
        'vscode.executeCompletionItemProvider',
        document.uri,
        new vscode.Position(line, character),
      );
      return list.items.map(({ label }) => (typeof label === 'string' ? label : label.label));
    };
    await withText(context, 'complete.modelfile', 'FROM ./\nPARAMETER \n\n', async (document) => {
      const parameters = await until('parameters', async () => {
        const found = await labels(document, 1, 10);
        return found.includes('temperature') && found;
      });
      assert.ok(parameters.includes('num_ctx') && parameters.includes('stop'), parameters.join());
      const instructions = await labels(document, 2, 0);
      assert.ok(
        ['TEMPLATE', 'SYSTEM', 'ADAPTER'].every((name) => instructions.some((label) => label.startsWith(name))),
        instructions.join(),
      );
      const paths = await labels(document, 0, 7);
      assert.ok(
        paths.some((label) => label.includes('base')),
        paths.join(),
      );
    });
  },

  'tells on hover what FROM and ADAPTER lead to': async (context) => {
    const { vscode } = context;
    const document = await open(context, 'Modelfile');
    const hover = async (line: number): Promise<string> => {
      const hovers = await vscode.commands.executeCommand<api.Hover[]>(
        'vscode.executeHoverProvider',
        document.uri,
        new vscode.Position(line, 8),
      );
      return hovers
        .flatMap(({ contents }) => contents.map((content) => (content as api.MarkdownString).value))
        .join('\n');
    };
    assert.match(await until('a hover', async () => (await hover(0)).includes('Qwen3') && hover(0)), /512/);
    assert.match(await hover(1), /LoRA|lora/);
  },

  'formats without changing what a Modelfile says': async (context) => {
    const { vscode } = context;
    await withText(
      context,
      'format.modelfile',
      'from    ./base\n\n\n\nparameter temperature 0.7   \n',
      async (document) => {
        const edits = await until(
          'edits',
          async () =>
            (await vscode.commands.executeCommand<api.TextEdit[] | undefined>(
              'vscode.executeFormatDocumentProvider',
              document.uri,
              { tabSize: 2, insertSpaces: true },
            )) ?? false,
        );
        const edit = new vscode.WorkspaceEdit();
        edit.set(document.uri, edits);
        await vscode.workspace.applyEdit(edit);
        assert.match(document.getText(), /^FROM +\.\/base\n+PARAMETER temperature 0\.7\s*$/);
      },
    );
  },

  'offers Create and Preview above a Modelfile, and says what it is made from': async (context) => {
    const { vscode } = context;
    const document = await open(context, 'Modelfile');
    const titles = await until('code lenses', async () => {
      const lenses = await vscode.commands.executeCommand<api.CodeLens[]>(
        'vscode.executeCodeLensProvider',
        document.uri,
        20,
      );
      const found = lenses.map(({ command }) => command?.title ?? '');
      return found.some((title) => title.includes('LoRA')) && found;
    });
    assert.ok(titles.some((title) => title.startsWith('Create ')) && titles.includes('Preview prompt'), titles.join());
    assert.ok(
      titles.some((title) => /Qwen3.*context 512/.test(title)),
      titles.join(),
    );
  },

  'lets the settings silence a diagnostic': async (context) => {
    const { vscode } = context;
    const configuration = vscode.workspace.getConfiguration('modelfileStudio');
    const broken = await open(context, 'broken.modelfile');
    await until('the diagnostic', () => codesOf(context, broken).includes('modelfile/unknown-parameter'));
    await configuration.update(
      'diagnostics.severity',
      { 'unknown-parameter': 'off' },
      vscode.ConfigurationTarget.Global,
    );
    try {
      await until('silence', () => !codesOf(context, broken).includes('modelfile/unknown-parameter'));
    } finally {
      await configuration.update('diagnostics.severity', undefined, vscode.ConfigurationTarget.Global);
    }
    await until('the diagnostic again', () => codesOf(context, broken).includes('modelfile/unknown-parameter'));
  },

  'answers again after the language server was restarted': async (context) => {
    const { vscode } = context;
    const broken = await open(context, 'broken.modelfile');
    await vscode.commands.executeCommand('modelfileStudio.restartLanguageServer');
    await until('diagnostics', () => codesOf(context, broken).includes('modelfile/unknown-parameter'));
  },

  'takes no junk for arguments': async ({ vscode }) => {
    const junk: readonly unknown[] = [{ path: 17 }, { path: '\0' }, { name: { evil: true } }];
    for (const argument of junk) {
      for (const command of [
        'modelfileStudio.ollama.copyName',
        'modelfileStudio.runPlan',
        'modelfileStudio.cancelJob',
      ]) {
        // Each asks, refuses or does nothing; none may hang on to the argument or throw what nobody handles.
        void vscode.commands.executeCommand(command, argument);
        await vscode.commands.executeCommand('workbench.action.closeQuickOpen');
      }
    }
  },

  'writes nothing into the workspace by being there': ({ folder }) => {
    assert.ok(!existsSync(join(folder, '.vscode')));
    return Promise.resolve();
  },
};
