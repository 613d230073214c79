// Texts as UTF-8. The sandbox has neither `TextEncoder` nor `TextDecoder`.

export function encode(text) {
  const escaped = encodeURIComponent(text.toWellFormed());
  const bytes = [];
  for (let at = 0; at < escaped.length; at += 1) {
    if (escaped[at] === "%") {
      bytes.push(Number.parseInt(escaped.slice(at + 1, at + 3), 16));
      at += 2;
    } else {
      bytes.push(escaped.charCodeAt(at));
    }
  }
  return Uint8Array.from(bytes);
}

export function decode(bytes) {
  const escape = (byte) => `%${byte.toString(16).padStart(2, "0")}`;
  return decodeURIComponent(Array.from(bytes, escape).join(""));
}
