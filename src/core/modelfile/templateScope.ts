import { BOOL, INT, STRING, type GoType } from '../goTemplate/reflect/value';
import { MESSAGES, TEMPLATE_TOOLS } from '../goTemplate/ollama/ollamaTypes';
import type { TolerantParse } from '../goTemplate/parseTemplate';
import type {
  BranchNode,
  CommandNode,
  Definition,
  ListNode,
  Operand,
  PipeNode,
  Span,
  Statement,
} from '../goTemplate/syntax/nodes';

/** The static type of a template's value: a Go type, the values of the whole template, or nothing known. */
export type ScopeType = GoType | 'root' | undefined;

/** Fields of the values that Ollama gives a template. */
export const ROOT_FIELDS: ReadonlyMap<string, GoType> = new Map([
  ['System', STRING],
  ['Prompt', STRING],
  ['Response', STRING],
  ['Suffix', STRING],
  ['Messages', MESSAGES],
  ['Tools', TEMPLATE_TOOLS],
  ['Think', BOOL],
  ['ThinkLevel', STRING],
  ['IsThinkSet', BOOL],
]);

/** One name of a `.A.B` with the type that it is a field of. */
export interface FieldUse {
  readonly name: string;
  /** The name without its dot. */
  readonly span: Span;
  readonly owner: ScopeType;
  /** Undefined where the type is not known, or where there is no such field. */
  readonly type: ScopeType;
  /** True when the owner is known and has no such field. */
  readonly isUnknown: boolean;
}

/** A stretch of the template with its dot and variables; inner ones come after outer ones. */
export interface ScopeArea extends Span {
  readonly dot: ScopeType;
  readonly variables: ReadonlyMap<string, ScopeType>;
}

/** A function's name where it is used. */
export interface FunctionUse {
  readonly name: string;
  readonly span: Span;
}

export interface TemplateScopes {
  readonly fields: readonly FieldUse[];
  readonly functions: readonly FunctionUse[];
  readonly areas: readonly ScopeArea[];
}

/** Deeper blocks are left alone: nobody writes them. */
const MAX_DEPTH = 200;
/** Every declaration copies the variables before it. */
const MAX_VARIABLES = 200;

/** Follows dot and variables through a template. Linear in its length; never throws. */
export function templateScopes(parse: TolerantParse): TemplateScopes {
  const walker = new ScopeWalker(parse);
  walker.run();
  return { fields: walker.fields, functions: walker.functions, areas: walker.areas };
}

/** The fields of a type by name, with their types; undefined for a type that has no fields of its own. */
export function fieldsOf(type: ScopeType): ReadonlyMap<string, ScopeType> | undefined {
  if (type === 'root') {
    return ROOT_FIELDS;
  }
  const structure = type?.kind === 'pointer' ? type.elem : type;
  if (structure?.kind !== 'struct') {
    return undefined;
  }
  let fields = FIELDS.get(structure);
  if (fields === undefined) {
    fields = new Map((structure.fields ?? []).map((field) => [field.name, field.type]));
    FIELDS.set(structure, fields);
  }
  return fields;
}

const FIELDS = new WeakMap<GoType, ReadonlyMap<string, ScopeType>>();

/** How a type is called in messages. */
export function typeTitle(type: ScopeType): string {
  if (type === 'root') {
    return 'the template’s values';
  }
  const name = (type?.kind === 'pointer' ? type.elem?.name : type?.name) ?? '';
  const titles: Readonly<Record<string, string>> = {
    'template.templateMessage': 'a message',
    'template.templateTool': 'a tool',
    'template.templateToolFunction': 'the function of a tool',
    'template.templateToolFunctionParameters': 'the parameters of a tool',
    'template.templateToolCall': 'a tool call',
    'template.templateToolCallFunction': 'the function of a tool call',
    'api.ToolProperty': 'a property of a tool',
  };
  return titles[name] ?? name;
}

interface Scope {
  readonly dot: ScopeType;
  readonly variables: ReadonlyMap<string, ScopeType>;
}

class ScopeWalker {
  readonly fields: FieldUse[] = [];
  readonly functions: FunctionUse[] = [];
  readonly areas: ScopeArea[] = [];
  private readonly visited = new Set<ListNode>();
  private readonly definitions: ReadonlyMap<string, Definition>;

  constructor(private readonly parse: TolerantParse) {
    this.definitions = new Map(parse.template.definitions.map((definition) => [definition.name, definition]));
  }

  run(): void {
    const { root, template } = this.parse;
    this.list(root, { dot: 'root', variables: new Map([['$', 'root']]) }, 0);
    for (const definition of template.definitions) {
      // Definitions that nothing calls: dot could be anything.
      this.list(definition.root, { dot: undefined, variables: new Map([['$', undefined]]) }, 0);
    }
  }

  private list(list: ListNode, scope: Scope, depth: number, area: Span = list): void {
    if (depth > MAX_DEPTH || this.visited.has(list)) {
      return;
    }
    this.visited.add(list);
    let current = scope;
    this.areas.push({ start: area.start, end: area.end, ...current });
    for (const node of list.nodes) {
      const after = this.statement(node, current, depth);
      if (after !== current) {
        current = after;
        this.areas.push({ start: node.end, end: area.end, ...current });
      }
    }
  }

  /** Gives the scope that holds after the statement: an action may declare a variable. */
  private statement(node: Statement, scope: Scope, depth: number): Scope {
    switch (node.kind) {
      case 'action':
        return this.declare(node.pipe, scope, this.pipe(node.pipe, scope));
      case 'if':
      case 'with':
      case 'range':
        this.branch(node, scope, depth);
        return scope;
      case 'template': {
        const dot = node.pipe === undefined ? undefined : this.pipe(node.pipe, scope);
        const called = this.definitions.get(node.name);
        if (called !== undefined) {
          this.list(called.root, { dot, variables: new Map([['$', dot]]) }, depth + 1);
        }
        return scope;
      }
      default:
        return scope;
    }
  }

  private branch(node: BranchNode, scope: Scope, depth: number): void {
    const type = this.pipe(node.pipe, scope);
    const elem = typeof type === 'object' && (type.kind === 'slice' || type.kind === 'map') ? type.elem : undefined;
    const inner =
      node.kind === 'range' ? this.declareRange(node.pipe, scope, type, elem) : this.declare(node.pipe, scope, type);
    const dot = node.kind === 'if' ? scope.dot : node.kind === 'with' ? type : elem;
    this.list(node.list, { dot, variables: inner.variables }, depth + 1, {
      start: node.header.end,
      end: node.elseAction?.start ?? node.endAction.start,
    });
    if (node.elseList !== undefined) {
      const start = node.elseAction?.end ?? node.list.end;
      this.list(node.elseList, { dot: scope.dot, variables: inner.variables }, depth + 1, {
        start,
        end: Math.max(node.endAction.start, start),
      });
    }
  }

  private declare(pipe: PipeNode, scope: Scope, type: ScopeType): Scope {
    const name = pipe.decl[0]?.idents[0];
    if (name === undefined || scope.variables.size > MAX_VARIABLES) {
      return scope;
    }
    return { dot: scope.dot, variables: new Map([...scope.variables, [name, type]]) };
  }

  private declareRange(pipe: PipeNode, scope: Scope, type: ScopeType, elem: ScopeType): Scope {
    const [first, second] = pipe.decl.map((variable) => variable.idents[0]);
    if (first === undefined || scope.variables.size > MAX_VARIABLES) {
      return scope;
    }
    const key = typeof type === 'object' && type.kind === 'map' ? STRING : INT;
    const added: [string, ScopeType][] =
      second === undefined
        ? [[first, elem]]
        : [
            [first, key],
            [second, elem],
          ];
    return { dot: scope.dot, variables: new Map([...scope.variables, ...added]) };
  }

  private pipe(pipe: PipeNode, scope: Scope, depth = 0): ScopeType {
    const types = pipe.cmds.map((command) => this.command(command, scope, depth));
    return types.length === 1 ? types[0] : undefined;
  }

  private command(command: CommandNode, scope: Scope, depth: number): ScopeType {
    const types = command.args.map((arg) => this.operand(arg, scope, depth));
    const [first] = command.args;
    if (first?.kind !== 'identifier') {
      return types.length === 1 ? types[0] : undefined;
    }
    switch (first.name) {
      case 'index': {
        const of = types[1];
        return types.length === 3 && typeof of === 'object' && (of.kind === 'slice' || of.kind === 'map')
          ? of.elem
          : undefined;
      }
      case 'slice':
        return types[1];
      case 'len':
        return INT;
      case 'eq':
      case 'ne':
      case 'lt':
      case 'le':
      case 'gt':
      case 'ge':
      case 'not':
        return BOOL;
      case 'json':
      case 'print':
      case 'printf':
      case 'println':
        return STRING;
      default:
        return undefined;
    }
  }

  private operand(node: Operand, scope: Scope, depth: number): ScopeType {
    switch (node.kind) {
      case 'dot':
        return scope.dot;
      case 'field':
        return this.idents(node.idents, node.start, scope.dot);
      case 'variable': {
        const [name = '', ...rest] = node.idents;
        return this.idents(rest, node.start + name.length, scope.variables.get(name));
      }
      case 'chain': {
        const of = depth > MAX_DEPTH ? undefined : this.operand(node.node, scope, depth + 1);
        return this.idents(node.fields, node.end - node.fields.reduce((sum, field) => sum + field.length + 1, 0), of);
      }
      case 'pipe':
        return depth > MAX_DEPTH ? undefined : this.pipe(node, scope, depth + 1);
      case 'identifier':
        this.functions.push({ name: node.name, span: { start: node.start, end: node.end } });
        return undefined;
      case 'string':
        return STRING;
      case 'bool':
        return BOOL;
      default:
        return undefined;
    }
  }

  /** `.A.B` from `start`, whose dot comes first. */
  private idents(names: readonly string[], start: number, from: ScopeType): ScopeType {
    let owner = from;
    let at = start;
    for (const name of names) {
      const fields = fieldsOf(owner);
      const hasMethod =
        typeof owner === 'object' && (owner.methods?.has(name) === true || owner.elem?.methods?.has(name) === true);
      const type = fields?.get(name);
      const isUnknown = fields !== undefined && !fields.has(name) && !hasMethod;
      this.fields.push({ name, span: { start: at + 1, end: at + 1 + name.length }, owner, type, isUnknown });
      at += name.length + 1;
      owner = type;
    }
    return owner;
  }
}
