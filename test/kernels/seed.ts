/** The seed of this run: KERNEL_SEED, or one of today's clock. It is printed, so that a failure can be repeated. */
export const SEED = Number(process.env['KERNEL_SEED'] ?? Date.now() % 1_000_000_007);
console.log(`kernel tests: KERNEL_SEED=${SEED}`);
