export declare const CONVERTER_SOURCE: string;
export declare function findConverter(): string | undefined;
