import { basename, dirname, relative, resolve } from 'node:path';
import { describeArtefact } from '../../core/artefacts/describeArtefact';
import { StudioError } from '../../core/errors';
import { formatBytes } from '../../core/formatBytes';
import { ggufArrayLength, type GgufMetadata } from '../../core/formats/gguf/ggufTypes';
import {
  compareFiles,
  countDifferences,
  metadataText,
  tensorText,
  type FileComparison,
} from '../../core/viewer/compareFiles';
import { displayLine, displayText } from '../../core/viewer/displayText';
import { metadataPage, valuePage } from '../../core/viewer/metadataView';
import { readForViewing } from '../../core/viewer/readForViewing';
import { summarise } from '../../core/viewer/summarise';
import { shapeText, type TensorRow } from '../../core/viewer/tensorTable';
import { ggufTemplates, templatesOf } from '../../core/viewer/templatesView';
import { readGgufVocabulary } from '../../core/viewer/tokenizer/ggufVocabulary';
import { VocabularyView } from '../../core/viewer/vocabularyView';
import type { AnswerOf, PageQuestion, TensorRowAnswer, ViewerQuestion } from '../../core/viewer/viewerProtocol';
import type { ViewedFile } from '../../core/viewer/viewedFile';
import { openFileSource, type FileSource } from '../files/fileSource';
import { goTemplateFor } from './goTemplate';
import { inspectPath } from '../artefacts/inspectPath';
import { viewAdapter } from './viewAdapter';
import { compareValues, differenceText, storedValues } from './compareValues';
import { folderTemplates, folderTokenizer, tokenizerFilesBeside } from './folderTokenizer';
import { ValueReader } from './tensorValues';

/** Characters of a JSON description that go into a clipboard. */
const JSON_UNITS = 64 * 1024 * 1024;
const DIFFERENT_FIRST = { different: 0, onlyHere: 1, onlyThere: 2, same: 3 } as const;

type Question<K extends PageQuestion['ask']> = Extract<PageQuestion, { ask: K }>;

/** Answers questions about one file. Lives in a thread or process of its own, for some files take seconds. */
export class ViewerServer {
  readonly #path: string;
  #file: Promise<{ readonly source: FileSource; readonly view: ViewedFile }> | undefined;
  #withArrays: Promise<ViewedFile> | undefined;
  #vocabulary: Promise<VocabularyView> | undefined;
  #reader: Promise<ValueReader> | undefined;
  #other: { readonly source: FileSource; readonly comparison: FileComparison } | undefined;

  /** @param bundleFolder where `jinja.js` and `library.json` lie */
  constructor(
    path: string,
    private readonly bundleFolder: string,
  ) {
    this.#path = path;
  }

  /** The answer, in the shape that `ANSWERS` has for the question. Throws StudioErrors. */
  async answer(question: ViewerQuestion, signal?: AbortSignal): Promise<unknown> {
    switch (question.ask) {
      case 'summary':
        return summarise((await this.#opened(signal)).view, basename(this.#path));
      case 'origin':
        return await this.#origin(signal);
      case 'tensors':
        return await this.#tensors(question);
      case 'find': {
        const { view } = await this.#opened();
        return { row: view.tensors.select(question).indexOf(question.index) } satisfies AnswerOf<'find'>;
      }
      case 'metadata':
        return metadataPage((await this.#opened()).view, question);
      case 'value':
        return await this.#value(question, signal);
      case 'vocabulary':
        return (await this.#vocabularyView(signal)).page(question);
      case 'tokenise':
        return (await this.#vocabularyView(signal)).tokenise(question.text);
      case 'templates':
        return await this.#templates(signal);
      case 'goTemplate':
        return await this.#goTemplate(signal);
      case 'adapter': {
        const { source, view } = await this.#opened();
        return await viewAdapter({
          path: this.#path,
          source,
          view,
          base: 'base' in question ? question.base : undefined,
          reader: await this.#values(),
          signal,
        });
      }
      case 'problems': {
        const { view } = await this.#opened();
        const rows = view.problems
          .slice(question.start, question.start + question.count)
          .map(({ code, message, tensor }) => ({ code, message: displayText(message), tensor }));
        return {
          start: question.start,
          total: view.problems.length,
          rows,
          more: view.moreProblems,
        } satisfies AnswerOf<'problems'>;
      }
      case 'json':
        return await this.#json(signal);
      case 'compare':
        return await this.#compare(question.path, signal);
      case 'differences':
        return this.#differences(question);
      case 'values':
        return await this.#difference(question.index, signal);
    }
  }

  async close(): Promise<void> {
    const opened = await this.#file?.catch(() => undefined);
    await opened?.source.close();
    await this.#other?.source.close();
  }

  #opened(signal?: AbortSignal): Promise<{ readonly source: FileSource; readonly view: ViewedFile }> {
    this.#file ??= this.#open(signal);
    return this.#file;
  }

  async #open(signal: AbortSignal | undefined): Promise<{ readonly source: FileSource; readonly view: ViewedFile }> {
    const source = await openFileSource(this.#path);
    try {
      return { source, view: await readForViewing(source, basename(this.#path), { signal, arrays: 'skip' }) };
    } catch (thrown) {
      await source.close();
      throw thrown;
    }
  }

  /** The file once more, with the contents of its arrays. */
  #complete(signal?: AbortSignal): Promise<ViewedFile> {
    this.#withArrays ??= this.#opened().then(async ({ source, view }) =>
      view.format === 'safetensors'
        ? view
        : await readForViewing(source, basename(this.#path), { signal, arrays: 'keep' }),
    );
    return this.#withArrays;
  }

  async #tensors(question: Question<'tensors'>): Promise<AnswerOf<'tensors'>> {
    const { view } = await this.#opened();
    const order = view.tensors.select(question);
    const rows = Array.from(order.subarray(question.start, question.start + question.count), (index) =>
      tensorRow(view.tensors.row(index)),
    );
    return { start: question.start, total: order.length, rows };
  }

  async #value(
    { index, start, count }: Question<'value'>,
    signal: AbortSignal | undefined,
  ): Promise<AnswerOf<'value'>> {
    const { view } = await this.#opened();
    const [, value] = view.metadata[index] ?? [];
    if (value === undefined) {
      throw new StudioError('input/changed', 'There is no such entry any more. Reload the file.');
    }
    const isCut = value.type === 'array' && ggufArrayLength(value) > value.value.length;
    const whole = isCut ? (await this.#complete(signal)).metadata[index]?.[1] : value;
    return valuePage(whole ?? value, start, count);
  }

  #vocabularyView(signal: AbortSignal | undefined): Promise<VocabularyView> {
    this.#vocabulary ??= this.#readVocabulary(signal);
    this.#vocabulary.catch(() => {
      this.#vocabulary = undefined;
    });
    return this.#vocabulary;
  }

  async #readVocabulary(signal: AbortSignal | undefined): Promise<VocabularyView> {
    const file = await this.#complete(signal);
    const metadata: GgufMetadata = new Map(
      file.format === 'gguf' ? file.metadata : await folderTokenizer(this.#directory(), signal),
    );
    const vocabulary = readGgufVocabulary(metadata);
    if (vocabulary === undefined) {
      throw new StudioError(
        'tokenizer/missing',
        'The file holds no vocabulary that can be read. A model without one cannot be run by itself.',
      );
    }
    return new VocabularyView(vocabulary);
  }

  async #templates(signal: AbortSignal | undefined): Promise<AnswerOf<'templates'>> {
    const { view } = await this.#opened();
    return templatesOf(
      ggufTemplates(view.format === 'gguf' ? view.metadata : await folderTemplates(this.#directory(), signal)),
    );
  }

  async #goTemplate(signal: AbortSignal | undefined): Promise<AnswerOf<'goTemplate'>> {
    const { view } = await this.#opened();
    return await goTemplateFor(view.format === 'gguf' ? this.#path : this.#directory(), this.bundleFolder, signal);
  }

  async #origin(signal: AbortSignal | undefined): Promise<AnswerOf<'origin'>> {
    const { view } = await this.#opened();
    const beside =
      view.format === 'safetensors'
        ? await tokenizerFilesBeside(this.#directory())
        : { hasTokenizer: false, hasTemplate: false };
    const inspection = await inspectPath(this.#path, { signal });
    const facts: { label: string; value: string }[] = [];
    if (inspection.ok && inspection.kind !== 'folder') {
      if (view.format === 'safetensors') {
        facts.push({ label: 'What it is', value: displayLine(describeArtefact(inspection)) });
      }
      const origin = inspection.builtFrom;
      if (origin !== undefined) {
        facts.push({
          label: 'Built from',
          value: displayLine(
            [
              this.#shortPath(origin.base),
              ...origin.adapters.map(
                ({ path, weight }) => `${this.#shortPath(path)}${weight === 1 ? '' : ` × ${weight}`}`,
              ),
            ].join(' + '),
          ),
        });
        facts.push({
          label: 'Up to date',
          value: origin.stale
            ? displayLine(`no: ${origin.changed.map((path) => this.#shortPath(path)).join(', ')} changed since`)
            : 'yes',
        });
      }
    }
    return { facts, ...beside };
  }

  /** As seen from the file's folder, where that is shorter. */
  #shortPath(path: string): string {
    const near = relative(this.#directory(), resolve(path));
    return near !== '' && near.length < path.length ? near : path;
  }

  #directory(): string {
    return dirname(resolve(this.#path));
  }

  /** The very JSON of `modelfile-studio inspect --json PATH`. */
  async #json(signal: AbortSignal | undefined): Promise<AnswerOf<'json'>> {
    const text = JSON.stringify({ files: [await inspectPath(this.#path, { signal })] }, undefined, 2);
    if (text.length > JSON_UNITS) {
      throw new StudioError(
        'json/too-large',
        `The description has ${formatBytes(text.length)}, too much for the clipboard. Write it into a file: modelfile-studio inspect --json FILE > FILE.json.`,
      );
    }
    return { text };
  }

  async #compare(path: string, signal: AbortSignal | undefined): Promise<AnswerOf<'compare'>> {
    const here = await this.#complete(signal);
    const source = await openFileSource(path);
    try {
      const there = await readForViewing(source, basename(path), { signal, arrays: 'keep' });
      const comparison = compareFiles(here, there);
      await this.#other?.source.close();
      const sort = <T extends { readonly kind: keyof typeof DIFFERENT_FIRST }>(list: readonly T[]): T[] =>
        [...list].sort((a, b) => DIFFERENT_FIRST[a.kind] - DIFFERENT_FIRST[b.kind]);
      this.#other = {
        source,
        comparison: { ...comparison, metadata: sort(comparison.metadata), tensors: sort(comparison.tensors) },
      };
      return {
        name: displayLine(basename(this.#path)),
        other: displayLine(basename(path)),
        otherHeadline: summarise(there, basename(path)).headline,
        metadata: countDifferences(comparison.metadata),
        tensors: countDifferences(comparison.tensors),
      };
    } catch (thrown) {
      await source.close();
      throw thrown;
    }
  }

  #compared(): { readonly source: FileSource; readonly comparison: FileComparison } {
    if (this.#other === undefined) {
      throw new StudioError('usage/arguments', 'No file is compared with this one yet. Choose one with Compare with….');
    }
    return this.#other;
  }

  #differences({ part, filter, start, count }: Question<'differences'>): AnswerOf<'differences'> {
    const { comparison } = this.#compared();
    const words = filter
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '');
    const isShown = (name: string): boolean => words.every((word) => name.toLowerCase().includes(word));
    if (part === 'metadata') {
      const found = comparison.metadata
        .map((difference, index) => ({ ...difference, index }))
        .filter(({ key }) => isShown(key));
      const rows = found.slice(start, start + count).map(({ key, kind, here, there, index }) => ({
        index,
        name: displayLine(key),
        kind,
        here: metadataText(here, there),
        there: metadataText(there, here),
      }));
      return { start, total: found.length, rows };
    }
    const found: number[] = [];
    comparison.tensors.forEach(({ name }, index) => (isShown(name) ? found.push(index) : undefined));
    const rows = found.slice(start, start + count).map((index) => {
      const { name, kind, here, there } = comparison.tensors[index]!;
      return {
        index,
        name: displayLine(name),
        kind,
        here: tensorText(comparison.here.tensors, here),
        there: tensorText(comparison.there.tensors, there),
      };
    });
    return { start, total: found.length, rows };
  }

  async #difference(index: number, signal: AbortSignal | undefined): Promise<AnswerOf<'values'>> {
    const { source, comparison } = this.#compared();
    const difference = comparison.tensors[index];
    if (difference?.here === undefined || difference.there === undefined) {
      return { text: 'only one of the two files has it' };
    }
    const { source: own } = await this.#opened();
    const [left, right] = [
      storedValues(own, comparison.here.tensors, difference.here),
      storedValues(source, comparison.there.tensors, difference.there),
    ];
    if (typeof left === 'string' || typeof right === 'string') {
      return { text: typeof left === 'string' ? left : (right as string) };
    }
    if (left.count !== right.count) {
      return { text: 'the two have different numbers of values' };
    }
    return { text: differenceText(await compareValues(await this.#values(), left, right, signal)) };
  }

  #values(): Promise<ValueReader> {
    this.#reader ??= ValueReader.open();
    return this.#reader;
  }
}

function tensorRow(row: TensorRow): TensorRowAnswer {
  return {
    index: row.index,
    name: displayLine(row.name),
    shape: shapeText(row.shape),
    type: row.type,
    size: row.bytes === undefined ? '?' : formatBytes(row.bytes),
    bytes: row.bytes === undefined ? '' : row.bytes.toLocaleString('en-US'),
    offset: row.offset === undefined ? '?' : `0x${row.offset.toString(16)}`,
    problem: row.problem === undefined ? undefined : displayText(row.problem),
  };
}
