import type { MarkedPair } from '../../core/chatTemplate/markDifference';
import type { PromptPreview, TemplateDifferences } from '../../../language-server/src/service/languageService';
import type { PromptState } from './promptMessages';

/** What a server made of the conversation that is shown. */
export type OllamaCheck =
  /** `marks`: the server's prompt beside this one; undefined where they are the same. */
  | { readonly state: 'done'; readonly model: string; readonly marks?: MarkedPair | undefined }
  | { readonly state: 'asking' }
  /** The prompt, the choice or the file changed since. */
  | { readonly state: 'none' }
  | { readonly state: 'failed'; readonly message: string };

/** What the editor sends to the page of the prompt preview; `PromptMessage` is what comes back. */
export type PromptPost =
  | { readonly type: 'set-up'; readonly state: PromptState; readonly strings: Readonly<Record<string, string>> }
  /** `comparing`: *Show Differences* was chosen for a page that is open. */
  | { readonly type: 'state'; readonly comparing: boolean }
  | { readonly type: 'prompt'; readonly preview: PromptPreview | null }
  | { readonly type: 'differences'; readonly differences: TemplateDifferences | null }
  | { readonly type: 'check'; readonly check: OllamaCheck };
