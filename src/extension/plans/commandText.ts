/** A command line as a person types it into the usual shell of the system: every argument arrives as it is. */
export function commandText(program: string, args: readonly string[], platform: NodeJS.Platform): string {
  const quote = platform === 'win32' ? quoteForWindows : quoteForPosix;
  return [program, ...args].map(quote).join(' ');
}

function quoteForPosix(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** For PowerShell, the default terminal of VS Code on Windows. */
function quoteForWindows(argument: string): string {
  return /^[\w+=:./\\-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "''")}'`;
}
