import { setHubToken as set } from '../hubToken';
import type { CommandServices } from '../wizard/commandContext';

/** *Set Hugging Face Token…* */
export async function setHubToken({ services }: CommandServices): Promise<void> {
  await set(services.context.secrets);
}
