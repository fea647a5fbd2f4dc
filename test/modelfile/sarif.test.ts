import { describe, expect, it } from 'vitest';
import { DIAGNOSTICS } from '../../src/core/modelfile/diagnosticCodes';
import { lintText } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { sarifLog, type LintedFile } from '../../src/core/modelfile/sarif';
import { mutate, randomModelfile } from '../support/modelfileGenerator';
import { Random } from '../support/random';

type Value = Readonly<Record<string, unknown>>;
const list = (value: unknown): readonly Value[] => value as readonly Value[];
const object = (value: unknown): Value => value as Value;

/** What the published schema of SARIF 2.1.0 demands of the objects that are used here: required properties, their types and enumerations. */
function checkLog(log: Value): void {
  expect(log['version']).toBe('2.1.0');
  expect(log['$schema']).toMatch(/^https:/);
  for (const run of list(log['runs'])) {
    const driver = object(object(run['tool'])['driver']);
    expect(typeof driver['name']).toBe('string');
    const rules = list(driver['rules']);
    expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
    for (const rule of rules) {
      expect(['none', 'note', 'warning', 'error']).toContain(object(rule['defaultConfiguration'])['level']);
      expect(object(rule['shortDescription'])['text']).not.toBe('');
      expect(object(rule['help'])['text']).not.toBe('');
    }
    expect(['utf16CodeUnits', 'unicodeCodePoints']).toContain(run['columnKind']);
    list(run['invocations']).forEach((invocation) => expect(typeof invocation['executionSuccessful']).toBe('boolean'));
    list(run['results']).forEach((result) => checkResult(result, rules));
  }
}

function checkResult(result: Value, rules: readonly Value[]): void {
  expect(object(result['message'])['text']).not.toBe('');
  expect(['none', 'note', 'warning', 'error']).toContain(result['level']);
  expect(rules[result['ruleIndex'] as number]?.['id']).toBe(result['ruleId']);
  for (const location of list(result['locations'])) {
    const physical = object(location['physicalLocation']);
    checkUri(object(physical['artifactLocation'])['uri']);
    checkRegion(object(physical['region']));
  }
  for (const fix of list(result['fixes'] ?? [])) {
    expect(list(fix['artifactChanges']).length).toBeGreaterThan(0);
    for (const change of list(fix['artifactChanges'])) {
      checkUri(object(change['artifactLocation'])['uri']);
      expect(list(change['replacements']).length).toBeGreaterThan(0);
      list(change['replacements']).forEach((replacement) => checkRegion(object(replacement['deletedRegion'])));
    }
  }
}

function checkUri(uri: unknown): void {
  expect(() => new URL(uri as string, 'file:///root/')).not.toThrow();
  expect(uri).not.toMatch(/[\s\\]/);
}

function checkRegion(region: Value): void {
  const numbers = ['startLine', 'startColumn', 'endLine', 'endColumn'].map((name) => region[name] as number);
  expect(
    numbers.every((value) => Number.isInteger(value) && value >= 1),
    JSON.stringify(region),
  ).toBe(true);
  const [startLine = 0, startColumn = 0, endLine = 0, endColumn = 0] = numbers;
  expect(endLine > startLine || (endLine === startLine && endColumn >= startColumn), JSON.stringify(region)).toBe(true);
}

describe('SARIF logs', () => {
  it('have what the schema demands, whatever was found', () => {
    const codes = new Set<string>();
    const files: LintedFile[] = [];
    for (let seed = 0; seed < 600; seed += 1) {
      const random = new Random(seed);
      const parsed = parseModelfile(mutate(random, randomModelfile(random)));
      const diagnostics = lintText(parsed);
      diagnostics.forEach(({ code }) => codes.add(code));
      files.push({
        path: ['a b/Modelfile', '/x/ä#?.Modelfile', 'C:\\m\\Modelfile', '../Modelfile'][seed % 4] ?? '',
        text: parsed.text,
        diagnostics,
      });
    }
    checkLog(sarifLog(files, 'judged for Ollama 0.34.4') as Value);
    expect(codes.size).toBeGreaterThan(15);
    expect(codes.size).toBeLessThanOrEqual(Object.keys(DIAGNOSTICS).length);
  });

  it('say which files could not be looked at', () => {
    const log = sarifLog(
      [{ path: 'gone', text: '', diagnostics: [], error: { code: 'input/missing', message: 'gone does not exist.' } }],
      'judged for Ollama 0.34.4',
    ) as Value;
    checkLog(log);
    expect(list(log['runs'])[0]?.['invocations']).toMatchObject([
      {
        executionSuccessful: false,
        toolExecutionNotifications: [{ level: 'error', message: { text: 'gone does not exist.' } }],
      },
    ]);
  });
});
