/** What draw.py drew. */
export interface Draw {
  readonly options: Readonly<Record<string, unknown>>;
  readonly added: number;
  readonly adapter: string;
  readonly reload: number;
}

/** Whether what was drawn can indeed not be merged into a folder or a GGUF. */
export function isRefusalTrue(
  what: 'folder' | 'GGUF',
  family: string,
  { options, added }: Draw,
  error: { readonly code: string; readonly message: string },
): boolean {
  const listed = (key: string): readonly unknown[] => (Array.isArray(options[key]) ? (options[key] as unknown[]) : []);
  const touches = (name: string): boolean => [...listed('target_modules'), ...listed('modules_to_save')].includes(name);
  // A GGUF of Gemma 2 has no place for a head that is not the embedding.
  if (what === 'GGUF' && family.startsWith('gemma2') && error.message.includes('no place for a head')) {
    return touches('embed_tokens') || touches('lm_head');
  }
  // PEFT saves one of embedding and head alone where LoRA was on one of them.
  if (error.code === 'adapter/shape' && error.message.includes('resized')) {
    return added > 0;
  }
  // PEFT itself cannot merge a bias of factors into a layer without one.
  if (error.message.includes('no such bias')) {
    return options['lora_bias'] === true;
  }
  return false;
}
