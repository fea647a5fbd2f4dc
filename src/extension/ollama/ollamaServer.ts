import * as vscode from 'vscode';
import { StudioError } from '../../core/errors';
import { resolveOllamaAddress, type OllamaAddress } from '../../core/ollama/ollamaAddress';
import type { OllamaClient } from '../../node/ollama/ollamaClient';
import type { Services } from '../services';

const ALLOWED_KEY = 'ollama.allowedHosts';

/** The Ollama that the settings lead to. Another machine is asked only when the user has allowed it, once for each address. */
export class OllamaServer {
  constructor(private readonly services: Services) {}

  get isEnabled(): boolean {
    return this.services.configuration.get('ollama.enabled');
  }

  /** @throws StudioError ollama/address */
  get address(): OllamaAddress {
    return resolveOllamaAddress({
      setting: this.services.configuration.get('ollama.host'),
      environment: process.env['OLLAMA_HOST'],
    });
  }

  /** True for this machine, and for another one that the user allowed. */
  get isAllowed(): boolean {
    const { isLoopback, url } = this.address;
    return isLoopback || this.#allowed().includes(url);
  }

  /** True where the server may be asked without asking the user first. */
  get isReady(): boolean {
    try {
      return this.isEnabled && this.isAllowed;
    } catch {
      return false;
    }
  }

  /** True where `OLLAMA_HOST` makes a server of this machine listen to others as well. */
  get listensToOthers(): boolean {
    return (
      this.address.origin === 'OLLAMA_HOST' &&
      /^["']?(?:https?:\/\/)?(?:0\.0\.0\.0|\[?::\]?)(?=[:/"']|$)/.test(process.env['OLLAMA_HOST'] ?? '')
    );
  }

  /** A client for one piece of work; asks first where the server is another machine. @throws StudioError run/cancelled where the user says no */
  async client(): Promise<OllamaClient> {
    await this.require();
    const { OllamaClient: Client } = await import('../../node/ollama/ollamaClient');
    return new Client(this.address);
  }

  /** Asks the user about another machine, unless that was answered before. @throws StudioError run/cancelled, ollama/disabled */
  async require(): Promise<void> {
    if (!this.isEnabled) {
      throw new StudioError(
        'ollama/disabled',
        vscode.l10n.t('Ollama is switched off in the settings. Switch on modelfileStudio.ollama.enabled.'),
      );
    }
    const { isLoopback, host, url, isEncrypted } = this.address;
    if (isLoopback || this.#allowed().includes(url)) {
      return;
    }
    const allow = vscode.l10n.t('Allow');
    const detail = isEncrypted
      ? vscode.l10n.t('Prompts, answers and the models that you create are sent to it.')
      : vscode.l10n.t(
          'Prompts, answers and the models that you create are sent to it, without encryption. Use an https address if the network is not yours.',
        );
    if (
      (await vscode.window.showWarningMessage(
        vscode.l10n.t('Use the Ollama server at {0}, which is another machine?', host),
        { modal: true, detail },
        allow,
      )) !== allow
    ) {
      throw new StudioError('run/cancelled', vscode.l10n.t('The server at {0} was not allowed.', host));
    }
    await this.services.context.globalState.update(ALLOWED_KEY, [...this.#allowed(), url]);
  }

  #allowed(): readonly string[] {
    const stored: unknown = this.services.context.globalState.get(ALLOWED_KEY);
    return Array.isArray(stored) ? stored.filter((one): one is string => typeof one === 'string') : [];
  }
}
