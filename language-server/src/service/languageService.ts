export { computeBaseSummaries, type BaseSummary } from './baseSummaries';
export { computeCodeActions, FIX_ALL_KIND, type CodeActionRequest } from './codeActions';
export { computeCompletions } from './completion';
export {
  computeDiagnostics,
  computeTextDiagnostics,
  DIAGNOSTIC_SOURCE,
  withPages,
  type Severities,
} from './diagnostics';
export { computeDocumentLinks, type PathLink } from './documentLinks';
export { computeDocumentSymbols } from './documentSymbols';
export { computeFoldingRanges } from './foldingRanges';
export { computeFormatting } from './formatting';
export { computeHover } from './hover';
export { ModelfileDocument } from './modelfileDocument';
export { computePromptPreview, type PromptPreview, type PromptPreviewRequest } from './promptPreview';
export { computeTemplateDifferences, type TemplateDifferences } from './templateDifferences';
export { computeSemanticTokens, TOKEN_TYPES } from './semanticTokens';
export { computeSignatureHelp } from './signatureHelp';
