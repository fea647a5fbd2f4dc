import * as vscode from 'vscode';
import { HOST_SUITE } from './suite';

/** Called by a desktop VS Code that @vscode/test-electron started: runs the suite and fails with all that failed. */
export async function run(): Promise<void> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? '';
  const failures: string[] = [];
  for (const [name, test] of Object.entries(HOST_SUITE)) {
    try {
      await test({ vscode, folder });
      console.log(`ok      ${name}`);
    } catch (error) {
      failures.push(name);
      console.log(`FAILED  ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  if (failures.length > 0) {
    throw new Error(`${failures.length} of ${Object.keys(HOST_SUITE).length} failed: ${failures.join('; ')}`);
  }
}
