export interface ViewerPageParts {
  /** What the editor serves local resources under. */
  readonly cspSource: string;
  /** Fresh for every page, letters and digits. */
  readonly nonce: string;
  readonly scriptUri: string;
  readonly styleUri: string;
}

/**
 * The page of the viewer. Nothing of a file stands in it, not even its name: data comes by messages, and becomes text nodes. Only
 * the one script runs; images, fonts, frames and connections have no place.
 */
export function viewerPage({ cspSource, nonce, scriptUri, styleUri }: ViewerPageParts): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'nonce-${nonce}'; style-src ${cspSource}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Modelfile Studio</title>
<link rel="stylesheet" href="${styleUri}">
</head>
<body>
<div id="viewer"></div>
<script nonce="${nonce}" src="${scriptUri}"></script>
</body>
</html>
`;
}
