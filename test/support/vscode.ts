import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type * as api from 'vscode';
import {
  chromium,
  type Browser,
  type ConsoleMessage,
  type Frame,
  type FrameLocator,
  type Locator,
  type Page,
} from 'playwright-core';

// Plain scripts: the paths are computed, so that type checking does not follow them.
const load = (name: string): Promise<Record<string, (...args: never[]) => unknown>> =>
  import(new URL(`../../scripts/${name}`, import.meta.url).href) as never;

/** Set by scripts/test-e2e.mjs: the programs, and a folder with our packaged extension and the probe installed. */
const environment = {
  codeServer: process.env['CODE_SERVER_BIN'],
  chromium: process.env['CHROMIUM_BIN'],
  extensions: process.env['MODELFILE_STUDIO_EXTENSIONS'],
};

/** Why there is no real VS Code here; undefined where there is one. */
export const missingVSCode =
  environment.codeServer === undefined || environment.chromium === undefined || environment.extensions === undefined
    ? 'not run: start it with npm run test:e2e, which installs VS Code'
    : undefined;

export interface VSCodeOptions {
  /** Fills the workspace's folder; the sample workspace by default. */
  readonly fill?: (folder: string) => void;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** False: the workspace is not trusted. */
  readonly trust?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly size?: { readonly width: number; readonly height: number };
}

/** What an element of the page is to us. */
interface Attributes {
  getAttribute(name: string): string | null;
}

interface Server {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** VS Code in a browser page, on a workspace of its own. */
export class VSCode {
  /** Messages of the page's console that a strict page does not have. */
  readonly pageErrors: string[] = [];

  private constructor(
    readonly folder: string,
    private readonly profile: string,
    private readonly server: Server,
    private readonly browser: Browser,
    readonly page: Page,
  ) {}

  static async open(options: VSCodeOptions = {}): Promise<VSCode> {
    const profile = mkdtempSync(join(tmpdir(), 'modelfile-studio-e2e-'));
    const folder = join(profile, 'rugby');
    mkdirSync(folder);
    if (options.fill === undefined) {
      const { makeSampleWorkspace } = await load('vscode/sampleWorkspace.mjs');
      (makeSampleWorkspace as unknown as (folder: string) => void)(folder);
    } else {
      options.fill(folder);
    }
    // Extensions keep state beside themselves: every window has a copy.
    cpSync(environment.extensions ?? '', join(profile, 'extensions'), { recursive: true });
    const { startCodeServer } = await load('vscode/codeServer.mjs');
    const env = { MODELFILE_STUDIO_PROBE: join(profile, 'probe.json'), HOME: profile, ...options.env };
    const server = await (startCodeServer as unknown as (options: object) => Promise<Server>)({
      bin: environment.codeServer,
      profile,
      settings: options.settings,
      trust: options.trust,
      env,
    });
    const browser = await chromium
      .launch({ executablePath: environment.chromium ?? '', args: ['--no-sandbox', '--disable-dev-shm-usage'] })
      .catch(async (error: unknown) => {
        await server.stop();
        throw error;
      });
    const page = await browser.newPage({
      viewport: options.size ?? { width: 1280, height: 800 },
      deviceScaleFactor: 1,
    });
    const code = new VSCode(folder, profile, server, browser, page);
    page.on('console', (message) => code.noteConsole(message));
    // A window with unsaved editors asks before it is left.
    page.on('dialog', (dialog) => void dialog.accept().catch(() => undefined));
    page.on('pageerror', (error) => code.pageErrors.push(error.message));
    await page
      .context()
      .grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(server.url).origin });
    try {
      await code.load();
    } catch (error) {
      await code.close();
      throw error;
    }
    return code;
  }

  private noteConsole(message: ConsoleMessage): void {
    const text = message.text();
    if (/Content Security Policy|violates the following/i.test(text)) {
      this.pageErrors.push(`${message.location().url}: ${text}`);
    }
  }

  private async load(): Promise<void> {
    await this.page.goto(`${this.server.url}?folder=${encodeURIComponent(this.folder)}`, { timeout: 120_000 });
    await this.page.locator('.monaco-workbench .activitybar').waitFor({ timeout: 120_000 });
    await this.until('the probe in the extension host', () => existsSync(join(this.profile, 'probe.json')), 120_000);
  }

  /** The extension host ends, a new one starts. */
  async reload(): Promise<void> {
    // As *Reload Window* does it: VS Code in a browser keeps its editors every few seconds only, and when a window ends in order.
    const loaded = this.page.waitForEvent('load', { timeout: 120_000 });
    await this.inHost(
      (vscode) => void setTimeout(() => void vscode.commands.executeCommand('workbench.action.reloadWindow'), 50),
    );
    rmSync(join(this.profile, 'probe.json'), { force: true });
    await loaded;
    await this.page.locator('.monaco-workbench .activitybar').waitFor({ timeout: 120_000 });
    await this.until(
      'the probe in the new extension host',
      () => existsSync(join(this.profile, 'probe.json')),
      120_000,
    );
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.stop();
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Path of a file of the workspace. */
  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** Runs a function in the extension host: `vscode` is the API there; argument and result travel as JSON. */
  async inHost<R>(
    work: (vscode: typeof api, argument: never, require: NodeJS.Require) => R | PromiseLike<R>,
    argument: unknown = null,
  ): Promise<Awaited<R>> {
    const { port } = JSON.parse(readFileSync(join(this.profile, 'probe.json'), 'utf8')) as { port: number };
    // What esbuild's keepNames wraps functions in does not exist over there.
    const source = `(vscode, argument, require) => { const __name = (f) => f; return (${work.toString()})(vscode, argument, require); }`;
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      body: JSON.stringify({ source, argument }),
      signal: AbortSignal.timeout(60_000),
    });
    const { value, error } = (await response.json()) as { value: Awaited<R>; error?: string };
    if (error !== undefined) {
      throw new Error(error);
    }
    return value;
  }

  /** Waits until something is there, and gives it. */
  async until<T>(
    what: string,
    probe: () => T | undefined | false | null | Promise<T | undefined | false | null>,
    timeout = 20_000,
  ): Promise<T> {
    const end = Date.now() + timeout;
    for (;;) {
      const value = await probe();
      if (value !== undefined && value !== false && value !== null) {
        return value;
      }
      if (Date.now() > end) {
        throw new Error(`Waited ${timeout / 1000} s in vain for ${what}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  // The command palette and other quick picks

  /** Runs a command by what the palette calls it. */
  async runCommand(title: string): Promise<void> {
    await this.openPalette(title);
    const row = this.quickRows().filter({ hasText: title }).first();
    // The palette may have a longer title with the same words first.
    await row.click();
  }

  /** Starts a command by its id and does not wait for its end: it will ask something. */
  async startCommand(command: string, ...args: readonly unknown[]): Promise<void> {
    await this.inHost(
      (vscode, { command: id, args: rest }: { readonly command: string; readonly args: readonly unknown[] }) => {
        void vscode.commands.executeCommand(id, ...rest);
      },
      { command, args },
    );
  }

  /** Sets one of the user's settings; undefined resets it. */
  async setting(name: string, value: unknown): Promise<void> {
    await this.inHost(
      async (vscode, { name: key, value: to }: { readonly name: string; readonly value?: unknown }) => {
        await vscode.workspace.getConfiguration().update(key, to, vscode.ConfigurationTarget.Global);
      },
      { name, value },
    );
  }

  /** Calls a command that ends with a plan, and gives its text once it is worked out; other editors are closed first. Without a command: the plan in front. */
  async plan(command?: string, request: object = {}): Promise<string> {
    if (command !== undefined) {
      await this.closeEditors();
      await this.startCommand(command, request);
    }
    return await this.planText();
  }

  /** The text of the plan that is in front, once it is worked out and can be acted upon. */
  async planText(): Promise<string> {
    const text = await this.until(
      'a plan',
      async () => {
        const { scheme, text: found } = await this.inHost((vscode) => {
          const document = vscode.window.activeTextEditor?.document;
          return { scheme: document?.uri.scheme, text: document?.getText() ?? '' };
        });
        return scheme === 'modelfile-studio-plan' && !/^Planning…/m.test(found) && found;
      },
      30_000,
    );
    await this.page.locator('.codelens-decoration a', { hasText: 'Copy as Command' }).first().waitFor();
    return text;
  }

  /** Closes all editors; what is not saved is lost. */
  async closeEditors(): Promise<void> {
    await this.inHost(async (vscode) => {
      for (const document of vscode.workspace.textDocuments.filter(({ isDirty }) => isDirty)) {
        await vscode.window.showTextDocument(document);
        await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
      }
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    });
  }

  /** Runs the plan that is in front and waits until the job of that title has a state, by its row. */
  async runPlan(title: string | RegExp, state: string | RegExp = /, done/, timeout = 40_000): Promise<string> {
    await this.page.locator('.codelens-decoration a', { hasText: 'Run' }).first().click();
    return await this.job(title, state, timeout);
  }

  /** Waits until the row of a job says something, and gives all of it. */
  async job(title: string | RegExp, state: string | RegExp, timeout = 40_000): Promise<string> {
    const matches = (text: string, pattern: string | RegExp): boolean =>
      typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text);
    return await this.until(
      `job ${String(title)} in state ${String(state)}`,
      async () => (await this.rows('Jobs')).find((row) => matches(row, title) && matches(row, state)),
      timeout,
    );
  }

  async openPalette(filter = ''): Promise<void> {
    await this.page.keyboard.press('Escape');
    await this.page.keyboard.press('F1');
    const input = this.quickInput();
    await input.waitFor();
    await input.fill(`>${filter}`);
  }

  quickInput(): Locator {
    return this.page
      .locator('.quick-input-widget:visible input[type="text"], .quick-input-widget:visible input:not([type])')
      .first();
  }

  quickRows(): Locator {
    return this.page.locator('.quick-input-widget:visible .quick-input-list .monaco-list-row');
  }

  /** What the open quick pick or input box is called. */
  async quickTitle(): Promise<string> {
    return (await this.page.locator('.quick-input-widget:visible .quick-input-title').innerText()).trim();
  }

  /** Chooses the row of an open quick pick that has a text. */
  async pick(text: string | RegExp): Promise<void> {
    const row = this.quickRows().filter({ hasText: text }).first();
    await row.waitFor();
    await row.click();
  }

  /** Types into an open input box and accepts. */
  async type(text: string): Promise<void> {
    const input = this.quickInput();
    await input.waitFor();
    await input.fill(text);
    await this.page.keyboard.press('Enter');
  }

  // The side bar

  /** Shows our views. */
  async openSideBar(): Promise<void> {
    const tab = this.page.locator('.activitybar .action-item a[aria-label^="Modelfile Studio"]').first();
    await tab.waitFor();
    if (
      (
        await this.page
          .locator('.part.sidebar .composite.title h2')
          .first()
          .innerText()
          .catch(() => '')
      ).toLowerCase() !== 'modelfile studio'
    ) {
      await tab.click();
      await this.page.mouse.move(800, 780);
    }
    await this.page.locator('.part.sidebar .pane-header', { hasText: 'Artefacts' }).waitFor();
  }

  /** A view of the side bar by the name in its header. */
  view(name: string): Locator {
    return this.page.locator('.part.sidebar .pane', { has: this.page.locator(`.pane-header[aria-label^="${name}"]`) });
  }

  /** Accessible names of the rows that a view shows. */
  async rows(view: string): Promise<string[]> {
    return await this.view(view)
      .locator('.monaco-list-row')
      .evaluateAll((rows) =>
        (rows as unknown as readonly Attributes[]).map((row) => row.getAttribute('aria-label') ?? ''),
      );
  }

  row(view: string, text: string | RegExp): Locator {
    return this.view(view).locator('.monaco-list-row').filter({ hasText: text }).first();
  }

  /** Opens the context menu of a row and gives its entries. */
  async contextMenu(view: string, text: string | RegExp): Promise<string[]> {
    await this.row(view, text).click({ button: 'right' });
    const items = this.page.locator('.context-view .action-item:not(.disabled) .action-label:not(.separator)');
    await items.first().waitFor();
    return (await items.allInnerTexts()).map((label) => label.trim()).filter((label) => label !== '');
  }

  // Editors

  async openFile(...names: readonly string[]): Promise<void> {
    await this.inHost(
      async (vscode, path) => {
        await vscode.commands.executeCommand('vscode.open', vscode.Uri.file(path as string), { preview: false });
      },
      this.path(...names),
    );
  }

  /** Text of the active text editor. */
  async editorText(): Promise<string> {
    return await this.inHost((vscode) => vscode.window.activeTextEditor?.document.getText() ?? '');
  }

  /** Names of the open tabs. */
  async tabs(): Promise<string[]> {
    return await this.inHost((vscode) =>
      vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs.map(({ label }) => label)),
    );
  }

  /** The document in the webview that is in front, two frames down. */
  async webview(marker: string, timeout = 20_000): Promise<FrameLocator & { readonly frame: Frame }> {
    const frame = await this.until(
      `a webview with ${marker}`,
      async () => {
        for (const candidate of this.page.frames()) {
          if (
            (await candidate
              .locator(marker)
              .count()
              .catch(() => 0)) > 0 &&
            (await candidate
              .locator(marker)
              .first()
              .isVisible()
              .catch(() => false))
          ) {
            return candidate;
          }
        }
        return undefined;
      },
      timeout,
    );
    return Object.assign(Object.create(frame) as Frame, { frame }) as unknown as FrameLocator & {
      readonly frame: Frame;
    };
  }

  // Messages

  async notifications(): Promise<string[]> {
    return await this.page.locator('.notifications-toasts .notification-list-item-message').allInnerTexts();
  }

  /** Waits for a notification with a text and gives the whole of it. */
  async notification(text: string | RegExp, timeout = 20_000): Promise<Locator> {
    const item = this.page.locator('.notifications-toasts .notification-list-item', { hasText: text }).first();
    await item.waitFor({ timeout });
    return item;
  }

  /** Presses a button of a modal dialog. */
  async answerDialog(button: string | RegExp): Promise<string> {
    const dialog = this.page.locator('.monaco-dialog-box');
    await dialog.waitFor();
    const message = await dialog.locator('.dialog-message-container').innerText();
    await dialog.getByRole('button', { name: button }).first().click();
    return message;
  }

  async clearNotifications(): Promise<void> {
    await this.inHost(async (vscode) => {
      await vscode.commands.executeCommand('notifications.clearAll');
    });
  }

  // Looks

  async theme(name: string): Promise<void> {
    await this.inHost(async (vscode, theme) => {
      await vscode.workspace
        .getConfiguration('workbench')
        .update('colorTheme', theme, vscode.ConfigurationTarget.Global);
    }, name);
    await this.page.waitForTimeout(500);
  }

  /** Writes a picture; the folder is $MODELFILE_STUDIO_SCREENSHOTS or a temporary one, and the path is given. */
  async screenshot(name: string): Promise<string> {
    const folder = process.env['MODELFILE_STUDIO_SCREENSHOTS'] ?? join(tmpdir(), 'modelfile-studio-screenshots');
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${name}.png`);
    await this.page.screenshot({ path });
    return path;
  }

  /** Log of the extension host, and those of our own channels. */
  hostLog(): string {
    const logs = join(this.profile, 'user/logs');
    const files = existsSync(logs)
      ? readdirSync(logs, { recursive: true, encoding: 'utf8' }).filter((name) =>
          /(?:exthost|Modelfile Studio).*\.log$/.test(name),
        )
      : [];
    return files.map((name) => `== ${name}\n${readFileSync(join(logs, name), 'utf8')}`).join('\n');
  }

  /** Writes a file of the workspace. */
  write(name: string, content: string | Uint8Array): void {
    writeFileSync(this.path(name), content);
  }
}

/** A test that fails leaves a picture of what was to be seen. */
export function photographFailures(code: () => VSCode | undefined): void {
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') {
      await code()
        ?.screenshot(`failed-${task.name.replaceAll(/\W+/g, '-').slice(0, 60)}`)
        .catch(() => undefined);
    }
  });
}
