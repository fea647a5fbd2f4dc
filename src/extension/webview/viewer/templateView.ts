import type { GoTemplateAnswer, TemplatesAnswer } from '../../../core/viewer/viewerProtocol';
import { button, el } from './dom';
import { t } from './l10n';
import type { View, ViewContext } from './view';

/** The chat template, and the Go template that belongs to it. It is shown, never run. */
export function templateView({ channel }: ViewContext): View {
  const element = el('div', { class: 'scroll templates' }, el('p', { class: 'faint' }, t('Reading…')));
  channel
    .ask({ ask: 'templates' })
    .then((answer) => element.replaceChildren(...contents(answer, channel)))
    .catch((error: unknown) => {
      element.replaceChildren(
        el('p', { class: 'problem-text' }, error instanceof Error ? error.message : String(error)),
      );
    });
  return { element };
}

function contents(answer: TemplatesAnswer, channel: ViewContext['channel']): HTMLElement[] {
  if (answer.templates.length === 0) {
    return [el('p', { class: 'faint' }, t('There is no chat template. A runtime would guess one, or none.'))];
  }
  const copy = (text: string): HTMLElement =>
    button(t('Copy'), () => channel.send({ kind: 'copy', text }), { class: 'link' });
  const warnings = answer.warnings.map((warning) => el('p', { class: 'note warning' }, t(warning)));
  const jinja = answer.templates.map(({ name, text, cut, format }) =>
    el(
      'section',
      { class: 'template' },
      el(
        'header',
        {},
        el(
          'h2',
          {},
          answer.templates.length === 1 && name === 'default'
            ? t('Chat template (Jinja)')
            : t('Chat template (Jinja): {0}', name),
        ),
        el('span', { class: 'faint' }, format === 'own' ? t('a format of its own') : format),
        copy(text),
      ),
      el('pre', { class: 'text', tabindex: 0, 'aria-label': t('Chat template (Jinja)') }, text),
      cut ? el('p', { class: 'faint' }, t('Only its beginning is shown.')) : undefined,
    ),
  );
  const go = el(
    'section',
    { class: 'template' },
    el(
      'header',
      {},
      el('h2', {}, t('For Ollama (Go template)')),
      el('span', { class: 'faint', role: 'status' }, t('Comparing…')),
    ),
  );
  channel
    .ask({ ask: 'goTemplate' })
    .then((found) => go.replaceChildren(...goTemplate(found, copy)))
    .catch((error: unknown) => {
      go.replaceChildren(
        el('header', {}, el('h2', {}, t('For Ollama (Go template)'))),
        el('p', { class: 'faint' }, error instanceof Error ? error.message : String(error)),
      );
    });
  return [...warnings, ...jinja, go];
}

function goTemplate(
  { text, title, notes, stops }: GoTemplateAnswer,
  copy: (text: string) => HTMLElement,
): HTMLElement[] {
  return [
    el(
      'header',
      {},
      el('h2', {}, t('For Ollama (Go template)')),
      el('span', { class: 'faint' }, title),
      text === undefined ? undefined : copy(text),
    ),
    ...notes.map((note) => el('p', { class: 'faint' }, note)),
    ...(text === undefined
      ? []
      : [el('pre', { class: 'text', tabindex: 0, 'aria-label': t('For Ollama (Go template)') }, text)]),
    ...(stops.length === 0
      ? []
      : [
          el(
            'p',
            { class: 'stops' },
            el('span', { class: 'faint' }, `${t('Stops:')} `),
            ...stops.flatMap((stop) => [el('code', {}, stop), ' '] as const),
          ),
        ]),
  ];
}
