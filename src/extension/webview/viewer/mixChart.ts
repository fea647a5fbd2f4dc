import type { SummaryAnswer } from '../../../core/viewer/viewerProtocol';
import { el } from './dom';
import { counted, t } from './l10n';

/** Colours of the theme's charts, in turn; every part is named beside its colour. */
const COLOURS = 7;

/** Which types the bytes of a file are: one bar, and the same in words. */
export function mixChart(mix: SummaryAnswer['mix'], onType?: (type: string) => void): HTMLElement {
  const parts = mix.map((part, index) => ({
    ...part,
    colour: `colour-${index % COLOURS}`,
    percent: percentText(part.share),
  }));
  const bar = el(
    'div',
    { class: 'mix-bar', 'aria-hidden': 'true' },
    ...parts
      .filter(({ share }) => share > 0)
      .map(({ type, share, colour, percent }) => {
        const piece = el('span', { class: colour, title: `${type} · ${percent}` });
        piece.style.flexGrow = String(share);
        return piece;
      }),
  );
  const legend = el(
    'ul',
    { class: 'mix-legend', 'aria-label': t('Bytes by tensor type') },
    ...parts.map(({ type, tensors, size, colour, percent }) => {
      const figures = tensors === 1 ? t('1 tensor, {0}', size) : t('{0} tensors, {1}', counted(tensors), size);
      const entry = [
        el('span', { class: `dot ${colour}`, 'aria-hidden': 'true' }),
        el('span', { class: 'mix-type' }, type),
        el('span', { class: 'mix-share' }, percent),
        el('span', { class: 'faint' }, figures),
      ];
      if (onType === undefined) {
        return el('li', {}, ...entry);
      }
      const choose = el(
        'button',
        { type: 'button', class: 'mix-choice', title: t('Show the tensors of type {0}', type) },
        ...entry,
      );
      choose.addEventListener('click', () => onType(type));
      return el('li', {}, choose);
    }),
  );
  return el('section', { class: 'mix' }, bar, legend);
}

function percentText(share: number): string {
  const percent = share * 100;
  return percent > 0 && percent < 0.1 ? '< 0.1 %' : `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}
