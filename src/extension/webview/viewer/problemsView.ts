import type { ProblemRowAnswer } from '../../../core/viewer/viewerProtocol';
import { button, el } from './dom';
import { counted, t } from './l10n';
import type { View, ViewContext } from './view';

const PAGE = 100;

/** What is wrong with the file, each with its code and, where it is one tensor's, the way to it. */
export function problemsView({ channel, summary, showTensor }: ViewContext): View {
  const list = el('ul', { class: 'problems' });
  const more = el('div', { class: 'more' });
  const element = el(
    'div',
    { class: 'scroll' },
    summary.counts.problems === 0
      ? el('p', { class: 'faint' }, t('No problems were found in the header. Verify… also looks at every value.'))
      : undefined,
    list,
    more,
  );
  const load = (start: number): void => {
    channel
      .ask({ ask: 'problems', start, count: PAGE })
      .then((page) => {
        list.append(...page.rows.map((problem) => entry(problem, showTensor)));
        const shown = start + page.rows.length;
        more.replaceChildren(
          ...(shown < page.total
            ? [button(t('Show More'), () => load(shown), { class: 'secondary' })]
            : page.more > 0
              ? [el('p', { class: 'faint' }, t('And {0} more of the same kind.', counted(page.more)))]
              : []),
        );
      })
      .catch((error: unknown) => {
        more.replaceChildren(
          el('p', { class: 'problem-text' }, error instanceof Error ? error.message : String(error)),
        );
      });
  };
  load(0);
  return { element };
}

function entry({ code, message, tensor }: ProblemRowAnswer, showTensor: (index: number) => void): HTMLElement {
  return el(
    'li',
    {},
    el('p', {}, message),
    el(
      'div',
      { class: 'problem-foot' },
      el('code', { class: 'faint' }, code),
      tensor === undefined ? undefined : button(t('Show Tensor'), () => showTensor(tensor), { class: 'link' }),
    ),
  );
}
