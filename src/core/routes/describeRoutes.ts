import { PLAIN, type Palette } from '../engine/describePlan';
import { escapeControls } from '../escapeControls';
import { formatBytes, formatCount, formatSeconds } from '../formatBytes';
import type { Route, RoutePlan } from './planRoutes';
import type { RouteFacts } from './routeFacts';
import { QUALITY_SOURCE } from './typeQuality';

const TITLES: Readonly<Record<Route['route'], string>> = {
  adapter: 'ADAPTER as it is',
  'gguf-adapter': 'GGUF adapter',
  fuse: 'Fuse, 16 bits',
  'fuse-quantise': 'Fuse and quantise',
};

/** The routes as a person reads them: the recommended one first, each with its reason, costs and command. */
export function describeRoutes(facts: RouteFacts, plan: RoutePlan, palette: Palette = PLAIN): string {
  const ordered = [...plan.routes].sort((a, b) => rank(a, plan) - rank(b, plan));
  const server =
    plan.ollamaVersion === undefined ? 'no Ollama answered: judged for the newest' : `Ollama ${plan.ollamaVersion}`;
  const lines = [
    `${palette.strong('Base'.padEnd(11))}${escapeControls(facts.base.path)} · ${facts.base.label} · ${formatCount(facts.base.parameters)} parameters · ${server}`,
    ...facts.adapters.map(
      (adapter) =>
        `${palette.strong('Adapter'.padEnd(11))}${escapeControls(adapter.path)} · ${adapter.format} ${adapter.method}${adapter.weight === 1 ? '' : ` · weight ${adapter.weight}`}`,
    ),
    `${palette.strong('Advice'.padEnd(11))}${plan.recommended === undefined ? '' : `${TITLES[plan.recommended]}: `}${escapeControls(plan.because)}`,
    ...ordered.flatMap((route) => ['', ...describe(route, plan, palette)]),
  ];
  return [
    ...lines,
    ...(ordered.some(({ quality }) => (quality?.perplexity ?? 0) > 0)
      ? ['', palette.faint(`Loss: perplexity added, ${QUALITY_SOURCE}.`)]
      : []),
  ].join('\n');
}

function rank(route: Route, plan: RoutePlan): number {
  return route.route === plan.recommended ? 0 : route.works ? 1 : 2;
}

function describe(route: Route, plan: RoutePlan, palette: Palette): string[] {
  const mark = !route.works
    ? palette.faint('✗')
    : route.route === plan.recommended
      ? palette.good('★')
      : palette.good('✓');
  const costs = route.works
    ? [
        ...(route.type === undefined ? [] : [route.type]),
        ...(route.diskBytes === undefined ? [] : [`disk ${formatBytes(route.diskBytes)}`]),
        ...(route.temporaryBytes === undefined || route.temporaryBytes === 0 ? [] : [`and as much for a while`]),
        ...(route.memoryBytes === undefined || route.memoryBytes === 0
          ? []
          : [`memory ${formatBytes(route.memoryBytes)}`]),
        ...(route.seconds === undefined ? [] : [`about ${formatSeconds(Math.max(1, route.seconds))}`]),
        ...(route.quality?.perplexity === undefined ? [] : [`loss ${route.quality.perplexity}`]),
      ].join(' · ')
    : '';
  return [
    `${mark} ${palette.strong(TITLES[route.route])}${costs === '' ? '' : ` · ${costs}`}`,
    `  ${escapeControls(route.why)}`,
    ...route.commands.map((command) => `  ${palette.faint(escapeControls(command))}`),
  ];
}
