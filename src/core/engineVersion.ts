/** The version that build records carry; a test holds it to package.json's. */
export const ENGINE_VERSION = '0.1.0';
