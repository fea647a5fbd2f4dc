// What a server does with adapters, folders and types, from the profile of its version.
import { behaviour } from '../ollama/ollamaBehaviours';
import { lastBefore, ollamaProfile } from '../ollama/ollamaProfile';

/** What a server makes of a 16-bit model where it quantises. */
export const SERVER_TYPES: readonly string[] = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_K_S', 'Q4_K_M'];

/** The newest version that attaches adapters. */
export function lastWithAdapters(): string {
  const gone = behaviour('adapterLayers').gone ?? '';
  return lastBefore(gone) ?? gone;
}

/** Whether a server of this version takes an adapter beside a model; where none is known, the newest is assumed, which does not. */
export function attachesAdapters(version: string | undefined): boolean {
  return ollamaProfile(version).does('adapterLayers');
}

/** Whether a server quantises GGUFs while it creates. */
export function serverQuantises(version: string | undefined): boolean {
  return ollamaProfile(version).does('quantisesGgufs');
}

/** Whether a server can quantise without being harmed by a crafted GGUF. */
export function quantisesSafely(version: string | undefined): boolean {
  return ollamaProfile(version).does('quantisesSafely');
}

/** Whether a server converts folders that DRAFT names. */
export function convertsDrafts(version: string | undefined): boolean {
  return ollamaProfile(version).does('convertsSafetensors');
}

/** Whether a server converts the folders of Hugging Face models of a class to GGUF. */
export function convertsFolders(version: string | undefined, className: string): boolean {
  const profile = ollamaProfile(version);
  return profile.does('convertsSafetensors') && profile.has('convertedClass', className);
}
