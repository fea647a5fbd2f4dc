/** Variables that name tools of others; the extension fills them from its settings. */
export const TOOL_VARIABLES = {
  /** An interpreter, or the folder of an environment. */
  python: 'MODELFILE_STUDIO_PYTHON',
  /** The folder of llama.cpp: its source, a build, or an unpacked release. */
  llamaCpp: 'MODELFILE_STUDIO_LLAMA_CPP',
  /** The folder in which docker lies. */
  docker: 'MODELFILE_STUDIO_DOCKER',
} as const;
