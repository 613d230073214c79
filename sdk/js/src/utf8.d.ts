/** A text as UTF-8; half a surrogate pair becomes U+FFFD. The sandbox has no `TextEncoder`. */
export function encode(text: string): Uint8Array;

/** The text that bytes of UTF-8 are. Throws a `URIError` if they are none. The sandbox has no `TextDecoder`. */
export function decode(bytes: Uint8Array): string;
