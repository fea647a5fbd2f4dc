/**
 * Milliseconds after which what should have ended has hung: far more than it takes on a machine that does eight other things as well,
 * far less than what it is held against would take (a walk without an end, a square of a million, a server that never answers).
 */
export const HANG_LIMIT = 20_000;
