import { escapeControls } from './escapeControls';

/** More of a name helps nobody; files can hold names of megabytes. */
const SHOWN_UNITS = 120;

/** The beginning of a name from a file, for the facts of an error. */
export function cutName(name: string): string {
  return name.length > SHOWN_UNITS ? `${name.slice(0, SHOWN_UNITS)}…` : name;
}

/** A name from a file as it stands in a message: quoted, cut if long, with nothing invisible in it. */
export function quoteName(name: string): string {
  return escapeControls(JSON.stringify(cutName(name)));
}
