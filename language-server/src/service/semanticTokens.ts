import type { Range, SemanticTokens } from 'vscode-languageserver-types';
import type { Instruction, ModelfileValue, Span } from '../../../src/core/modelfile/modelfileTypes';
import { PARAMETERS } from '../../../src/core/modelfile/parameters';
import { offsetInDocument } from '../../../src/core/modelfile/scanValue';
import { Lexer, type CommentSpan } from '../../../src/core/goTemplate/syntax/lexer';
import { TokenType, type Token } from '../../../src/core/goTemplate/syntax/tokens';
import type { ModelfileDocument } from './modelfileDocument';

export const TOKEN_TYPES = [
  'keyword',
  'property',
  'enumMember',
  'number',
  'string',
  'comment',
  'operator',
  'function',
  'variable',
  'namespace',
] as const;
type TokenName = (typeof TOKEN_TYPES)[number];

interface Piece extends Span {
  readonly type: TokenName;
}

/** Beyond this a template is coloured by its grammar alone. */
const MAX_TEMPLATE = 256 * 1024;

/** Words of the file and of its templates by what they are, as the protocol packs them. */
export function computeSemanticTokens(document: ModelfileDocument, range?: Range): SemanticTokens {
  const pieces: Piece[] = document.parsed.comments.map((span) => ({ ...span, type: 'comment' }));
  for (const instruction of document.parsed.instructions) {
    pieces.push(...instructionPieces(instruction));
  }
  const from = range === undefined ? 0 : document.offset(range.start);
  const to = range === undefined ? Infinity : document.offset(range.end);
  const wanted = pieces.filter(({ start, end }) => end > from && start < to).sort((a, b) => a.start - b.start);
  return {
    data: pack(
      document,
      wanted.flatMap((piece) => byLine(document, piece)),
    ),
  };
}

function instructionPieces(instruction: Instruction): Piece[] {
  const { keyword, keywordSpan, name, value } = instruction;
  if (keyword === undefined) {
    return [];
  }
  const pieces: Piece[] = [{ ...keywordSpan, type: 'keyword' }];
  if (name !== undefined && name.text !== '') {
    pieces.push({ ...name.span, type: keyword === 'MESSAGE' ? 'enumMember' : 'property' });
  }
  if (value === undefined || value.span.start === value.span.end) {
    return pieces;
  }
  switch (keyword) {
    case 'TEMPLATE':
      return [...pieces, ...templatePieces(value)];
    case 'PARAMETER':
      return [
        ...pieces,
        { ...value.span, type: PARAMETERS.get(name?.text ?? '')?.type === 'strings' ? 'string' : 'number' },
      ];
    case 'FROM':
    case 'ADAPTER':
    case 'DRAFT':
      return [...pieces, { ...value.span, type: 'namespace' }];
    case 'RENDERER':
    case 'PARSER':
      return [...pieces, { ...value.span, type: 'enumMember' }];
    case 'REQUIRES':
      return [...pieces, { ...value.span, type: 'number' }];
    default:
      return [...pieces, { ...value.span, type: 'string' }];
  }
}

/** Between the delimiters token by token; the text around them stays a string. */
function templatePieces(value: ModelfileValue): Piece[] {
  const { text } = value;
  if (text.length > MAX_TEMPLATE) {
    return [];
  }
  const comments: CommentSpan[] = [];
  const lexer = new Lexer(text, comments);
  const pieces: Piece[] = [];
  const add = (span: Span, type: TokenName): void => {
    const start = offsetInDocument(value, span.start);
    pieces.push({ start, end: Math.max(offsetInDocument(value, span.end), start), type });
  };
  for (
    let token = lexer.next();
    token.type !== TokenType.EndOfFile && token.type !== TokenType.Error;
    token = lexer.next()
  ) {
    const type = typeOf(token);
    if (type !== undefined && token.end > token.start) {
      add(token, type);
    }
  }
  comments.forEach((comment) => add(comment, 'comment'));
  return pieces;
}

function typeOf({ type }: Token): TokenName | undefined {
  switch (type) {
    case TokenType.LeftDelim:
    case TokenType.RightDelim:
    case TokenType.Pipe:
    case TokenType.Assign:
    case TokenType.Declare:
      return 'operator';
    case TokenType.Field:
      return 'property';
    case TokenType.Variable:
    case TokenType.Dot:
      return 'variable';
    case TokenType.Identifier:
      return 'function';
    case TokenType.Number:
    case TokenType.Complex:
    case TokenType.CharConstant:
    case TokenType.Bool:
      return 'number';
    case TokenType.String:
    case TokenType.RawString:
      return 'string';
    default:
      return type > TokenType.Keyword ? 'keyword' : undefined;
  }
}

/** Tokens of the protocol do not cross lines. */
function byLine({ lines }: ModelfileDocument, piece: Piece): Piece[] {
  const first = lines.position(piece.start).line;
  const last = lines.position(piece.end).line;
  const parts: Piece[] = [];
  for (let line = first; line <= last; line += 1) {
    const start = Math.max(piece.start, lines.lineStart(line));
    const end = Math.min(piece.end, lines.lineEnd(line));
    if (end > start) {
      parts.push({ start, end, type: piece.type });
    }
  }
  return parts;
}

function pack({ lines }: ModelfileDocument, pieces: readonly Piece[]): number[] {
  const data: number[] = [];
  let line = 0;
  let character = 0;
  let end = 0;
  for (const piece of pieces) {
    if (piece.start < end) {
      continue;
    }
    const position = lines.position(piece.start);
    const sameLine = position.line === line;
    data.push(
      position.line - line,
      sameLine ? position.character - character : position.character,
      piece.end - piece.start,
      TOKEN_TYPES.indexOf(piece.type),
      0,
    );
    ({ line, character } = position);
    end = piece.end;
  }
  return data;
}
