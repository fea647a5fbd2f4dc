import { factList, el } from './dom';
import { t } from './l10n';
import { mixChart } from './mixChart';
import type { View, ViewContext } from './view';

/** What the file is, at one glance. */
export function summaryView({ summary, channel }: ViewContext, showType: (type: string) => void): View {
  const facts = factList(summary.facts, t);
  const origin = el('div', { class: 'origin' });
  const element = el(
    'div',
    { class: 'scroll summary' },
    summary.mix.length === 0 ? undefined : mixChart(summary.mix, showType),
    facts,
    origin,
  );
  channel
    .ask({ ask: 'origin' })
    .then((answer) => {
      if (answer.facts.length > 0) {
        origin.replaceChildren(factList(answer.facts, t));
      }
    })
    .catch(() => {
      // What lies beside the file is an extra: the file itself has been shown.
    });
  return { element };
}
