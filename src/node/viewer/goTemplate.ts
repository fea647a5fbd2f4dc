import { displayLine, displayText } from '../../core/viewer/displayText';
import type { AnswerOf } from '../../core/viewer/viewerProtocol';
import { chooseTemplateFor } from '../jinja/chooseTemplate';

/** The TEMPLATE that belongs to a model's own chat template, and how well it fits; `path` is a GGUF or a Hugging Face folder. */
export async function goTemplateFor(
  path: string,
  bundleFolder: string,
  signal?: AbortSignal,
): Promise<AnswerOf<'goTemplate'>> {
  const { template, origin, model, exact, exactButTrim, notes, stops } = await chooseTemplateFor(path, {
    bundleFolder,
    signal,
  });
  const from = {
    library: `the library's template of ${model ?? 'another model'}`,
    generated: 'made from the Jinja',
    base: `the template of ${model ?? 'its base'}`,
    none: 'none',
  }[origin];
  const fit = exact
    ? 'renders every compared conversation alike'
    : exactButTrim
      ? 'the same but for white space at the ends of messages'
      : 'not the same everywhere: see the notes';
  return {
    text: template === undefined ? undefined : displayText(template),
    title: displayLine(template === undefined ? from : `${from} · ${fit}`),
    exact: exact || exactButTrim,
    notes: notes.map(displayText),
    stops: stops.map(({ text }) => displayLine(text, 80)),
  };
}
