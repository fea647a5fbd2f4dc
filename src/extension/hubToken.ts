import * as vscode from 'vscode';

/** The one secret that is kept; its value is in VS Code's secret storage and nowhere else. */
const KEY = 'huggingFace.token';
const FORM = /^hf_[A-Za-z0-9_]+$/;

/** The variables that fetching from the hub gets; empty where no token is kept, and the environment's own counts. */
export async function hubEnvironment(secrets: vscode.SecretStorage): Promise<Record<string, string>> {
  const token = await secrets.get(KEY);
  return token === undefined ? {} : { HF_TOKEN: token };
}

/** *Set Hugging Face Token…*: keeps a token for gated and private repositories, or forgets it when nothing is typed. */
export async function setHubToken(secrets: vscode.SecretStorage): Promise<void> {
  const token = await vscode.window.showInputBox({
    title: vscode.l10n.t('Hugging Face Token'),
    prompt: vscode.l10n.t(
      'For gated and private models. It is kept in the secret storage of VS Code and given to nothing but the hub; leave it empty to forget it.',
    ),
    password: true,
    ignoreFocusOut: true,
    validateInput: (text) =>
      text.trim() === '' || FORM.test(text.trim())
        ? undefined
        : vscode.l10n.t('A token begins with hf_. Make one at huggingface.co under Settings, Access Tokens.'),
  });
  if (token === undefined) {
    return;
  }
  await (token.trim() === '' ? secrets.delete(KEY) : secrets.store(KEY, token.trim()));
}
