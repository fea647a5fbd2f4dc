import * as vscode from 'vscode';

/** Where a question stands in its command. */
export interface StepPosition {
  readonly title: string;
  readonly step: number;
  readonly total: number;
}

/** One question. `ask` gives what it adds to the choices, `back`, or undefined when the user leaves. */
export interface Step<Choices> {
  /** False where the choices so far answer it already. */
  readonly isNeeded?: (choices: Choices) => boolean;
  readonly ask: (choices: Choices, at: StepPosition) => Promise<Partial<Choices> | 'back' | undefined>;
}

/** Asks one question after the other, with a way back to each; undefined when the user leaves. */
export async function askSteps<Choices extends object>(
  title: string,
  start: Choices,
  steps: readonly Step<Choices>[],
): Promise<Choices | undefined> {
  const asked: { readonly index: number; readonly before: Choices }[] = [];
  let choices = start;
  let index = 0;
  while (index < steps.length) {
    const step = steps[index]!;
    if (step.isNeeded?.(choices) === false) {
      index++;
      continue;
    }
    const open = steps.slice(index).filter((one) => one.isNeeded?.(choices) !== false).length;
    const answer = await step.ask(choices, { title, step: asked.length + 1, total: asked.length + open });
    if (answer === undefined) {
      return undefined;
    }
    if (answer === 'back') {
      const before = asked.pop();
      if (before === undefined) {
        return undefined;
      }
      ({ index, before: choices } = before);
      continue;
    }
    asked.push({ index, before: choices });
    choices = { ...choices, ...answer };
    index++;
  }
  return choices;
}

export interface Choice<T> extends vscode.QuickPickItem {
  readonly value: T;
}

export interface PickOptions<T> {
  readonly placeholder: string;
  /** May take a while: the list is shown at once and filled then. */
  readonly choices: readonly Choice<T>[] | Promise<readonly Choice<T>[]>;
  /** Chosen before the user moves. */
  readonly active?: (value: T) => boolean;
  readonly many?: boolean;
}

/** One or several of a list; `back`, or undefined when the user leaves. */
export async function pick<T>(at: StepPosition, options: PickOptions<T>): Promise<readonly T[] | 'back' | undefined> {
  const box = vscode.window.createQuickPick<Choice<T>>();
  dress(box, at);
  box.placeholder = options.placeholder;
  box.canSelectMany = options.many === true;
  box.matchOnDescription = true;
  box.matchOnDetail = true;
  box.busy = true;
  const answer = settle<readonly T[]>(box, (resolve) => {
    box.onDidAccept(() => {
      const chosen = options.many === true ? box.selectedItems : box.activeItems.slice(0, 1);
      if (chosen.length > 0) {
        resolve(chosen.map(({ value }) => value));
      }
    });
  });
  box.show();
  try {
    const choices = await Promise.race([Promise.resolve(options.choices), answer.then(() => [])]);
    box.items = choices;
    box.busy = false;
    const active = choices.filter(({ value }) => options.active?.(value) === true);
    if (options.many === true) {
      box.selectedItems = active;
    } else if (active.length > 0) {
      box.activeItems = active.slice(0, 1);
    }
    return await answer;
  } finally {
    box.dispose();
  }
}

export interface InputOptions {
  readonly prompt: string;
  readonly value: string;
  readonly placeholder?: string;
  /** Part of the value that is selected at first. */
  readonly selection?: readonly [number, number];
  /** What is wrong with a value; undefined where nothing is. */
  readonly problem: (value: string) => string | undefined | Promise<string | undefined>;
  /** Gives a value by a dialog of the system, for the button *Browse…*; undefined where the user left it. */
  readonly browse?: (value: string) => Promise<string | undefined>;
}

/** A line of text that passes its check; `back`, or undefined when the user leaves. */
export async function input(at: StepPosition, options: InputOptions): Promise<string | undefined> {
  const box = vscode.window.createInputBox();
  dress(box, at);
  box.prompt = options.prompt;
  box.value = options.value;
  box.placeholder = options.placeholder;
  box.valueSelection = options.selection;
  let checked = 0;
  const check = async (): Promise<boolean> => {
    const turn = ++checked;
    const problem = await options.problem(box.value.trim());
    if (turn === checked) {
      box.validationMessage = problem;
    }
    return problem === undefined;
  };
  box.onDidChangeValue(() => void check());
  const browse: vscode.QuickInputButton = {
    iconPath: new vscode.ThemeIcon('folder-opened'),
    tooltip: vscode.l10n.t('Browse…'),
  };
  const answer = settle<string>(box, (resolve, pause) => {
    if (options.browse !== undefined) {
      box.buttons = [...box.buttons, browse];
    }
    box.onDidTriggerButton(async (button) => {
      if (button === browse) {
        // The dialog of a remote window takes the place of this box, which must come back after it.
        const found = await pause(async () => await options.browse?.(box.value.trim()));
        if (found !== undefined) {
          box.value = found;
          await check();
        }
      }
    });
    box.onDidAccept(async () => {
      const value = box.value.trim();
      if (await check()) {
        resolve(value);
      }
    });
  });
  box.show();
  try {
    return await answer;
  } finally {
    box.dispose();
  }
}

function dress(box: vscode.QuickInput, at: StepPosition): void {
  box.title = at.title;
  box.ignoreFocusOut = true;
  if (at.total > 1) {
    box.step = at.step;
    box.totalSteps = at.total;
  }
}

/** Resolves with what `accept` hands on, with `back` for the back button, with undefined when the box is hidden. */
async function settle<T>(
  host: AnyBox,
  accept: (resolve: (value: T) => void, pause: <R>(work: () => Promise<R>) => Promise<R>) => void,
): Promise<T | 'back' | undefined> {
  return await new Promise((resolve) => {
    let paused = false;
    const pause = async <R>(work: () => Promise<R>): Promise<R> => {
      paused = true;
      try {
        return await work();
      } finally {
        paused = false;
        host.show();
      }
    };
    if ((host.step ?? 1) > 1) {
      host.buttons = [vscode.QuickInputButtons.Back];
      host.onDidTriggerButton((button) => {
        if (button === vscode.QuickInputButtons.Back) {
          resolve('back');
        }
      });
    }
    host.onDidHide(() => {
      if (!paused) {
        resolve(undefined);
      }
    });
    accept(resolve, pause);
  });
}

/** What pick lists and input boxes have in common. */
interface AnyBox extends vscode.QuickInput {
  buttons: readonly vscode.QuickInputButton[];
  readonly onDidTriggerButton: vscode.Event<vscode.QuickInputButton>;
}
