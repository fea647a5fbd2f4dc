import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { chooseTemplate } from '../../src/core/chatTemplate/chooseTemplate';
import type { JinjaRequest } from '../../src/core/chatTemplate/chatFormat';
import { createJinjaRenderer } from '../../src/node/jinja/jinjaRenderer';
import { HANG_LIMIT } from '../support/hangLimit';
import { CLI } from '../support/cli';
import { formatFor } from '../support/familyTemplates';

const render = createJinjaRenderer(join(CLI, '..'));
const request = (variables: JinjaRequest['variables'] = {}): JinjaRequest => ({
  variables: { messages: [{ role: 'user', content: 'Hello' }], ...variables },
  now: 0,
});

/** Programs of strangers: whatever they do, this process goes on and gets an answer. */
const HOSTILE: Readonly<Record<string, string>> = {
  'a range without end': '{% for i in range(10000000000) %}x{% endfor %}',
  'loops in loops':
    '{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}',
  'a text that doubles':
    "{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s | length }}",
  'a list that doubles':
    '{% set ns = namespace(l=[1,2,3,4]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}{{ ns.l | length }}',
  'a macro that calls itself': '{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}',
  'more text than is looked at':
    "{% set ns = namespace(s='x') %}{% for i in range(22) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}",
  'ten thousand brackets': `{{ ${'('.repeat(10_000)}1${')'.repeat(10_000)} }}`,
};

describe("models' Jinja templates in their process", () => {
  it.each(Object.entries(HOSTILE))(
    'survives %s',
    async (_name, jinja) => {
      const lag = watchLoop();
      const started = performance.now();
      const [answer] = await render(jinja, [request()]);
      expect(answer).toMatchObject({ ok: false });
      expect(performance.now() - started).toBeLessThan(8_000);
      // The thread that asks is never held up.
      expect(lag()).toBeLessThan(400);
    },
    30_000,
  );

  it('answers the requests before and behind one that hangs', async () => {
    const jinja =
      '{% if hang %}{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}{% endif %}{{ messages[0].content }}';
    const answers = await render(jinja, [request(), request({ hang: true }), request()]);
    expect(answers).toEqual([
      { ok: true, text: 'Hello' },
      { ok: false, error: expect.stringContaining('too long') as string },
      { ok: true, text: 'Hello' },
    ]);
  }, 30_000);

  it.each([
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').popen('touch /tmp/x') }}",
    "{{ cycler.__init__.__globals__.os.system('id') }}",
    "{{ messages.constructor.constructor('return process')().exit(3) }}",
    "{{ messages['constructor']['constructor']('return process')() }}",
    '{{ process.env }}',
    "{{ require('child_process') }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    '{{ range.constructor }}',
    '{{ strftime_now.constructor("return 1")() }}',
    '{{ raise_exception.constructor("return process.pid")() }}',
  ])('gives nothing away to %s', async (jinja) => {
    const [answer] = await render(jinja, [request()]);
    expect(answer!.ok ? answer!.text : '').not.toMatch(/process|function|root:|\d{3,}/);
  });

  it('gives a template neither the environment nor the clock', async () => {
    const [first, second] = await render("{{ strftime_now('%d %B %Y') }}", [
      { variables: {}, now: new Date(2026, 1, 3).getTime() },
      { variables: {}, now: { before: '<', after: '>' } },
    ]);
    expect([first, second]).toEqual([
      { ok: true, text: '03 February 2026' },
      { ok: true, text: '<%d %B %Y>' },
    ]);
  });

  it('is cancelled at once', async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 100);
    const started = performance.now();
    await expect(render(HOSTILE['loops in loops']!, [request()], abort.signal)).rejects.toMatchObject({
      code: 'run/cancelled',
    });
    expect(performance.now() - started).toBeLessThan(HANG_LIMIT);
  });

  it('ends when whoever started it is gone, in the middle of a template without end', async () => {
    const child = fork(join(CLI, '..', 'jinja.js'), [], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: [] });
    const ready = once(child, 'message');
    child.send({ jinja: HOSTILE['loops in loops'], requests: [request()] });
    await ready;
    const ended = once(child, 'exit');
    child.disconnect();
    await expect(Promise.race([ended, sleep(5_000, 'still there')])).resolves.not.toBe('still there');
  }, 30_000);

  it('refuses a template of more than a megabyte', async () => {
    await expect(render('x'.repeat(2 ** 20 + 1), [request()])).rejects.toMatchObject({ code: 'template/jinja' });
  });

  it('leads to a choice that says why there is no template', async () => {
    const choice = await chooseTemplate(formatFor(HOSTILE['a macro that calls itself']!), render, { now: 0 });
    expect(choice).toMatchObject({ origin: 'none', template: undefined, exact: false, jinjaWins: true });
    expect(choice.notes[0]).toMatch(/^No TEMPLATE is taken over/);
  }, 30_000);
});

/** The longest time for which this thread did not come to its timers. */
function watchLoop(): () => number {
  let last = performance.now();
  let longest = 0;
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last - 10);
    last = performance.now();
  }, 10);
  return () => {
    clearInterval(timer);
    return longest;
  };
}
