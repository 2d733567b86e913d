// As much of PostgreSQL's wire protocol as it takes to see transactions go by.

interface WireMessage {
  /** One letter; null for what a client sends first. */
  tag: string | null;
  bytes: Buffer;
}

const LENGTH_BYTES = 4;

/** Cuts the bytes of one direction into messages. */
export class MessageReader {
  #rest: Buffer = Buffer.alloc(0);
  #isTagged: boolean;

  constructor(side: "client" | "server") {
    this.#isTagged = side === "server";
  }

  /** The messages that `chunk` completes. */
  push(chunk: Buffer): WireMessage[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages: WireMessage[] = [];
    for (;;) {
      const tagBytes = this.#isTagged ? 1 : 0;
      if (this.#rest.length < tagBytes + LENGTH_BYTES) return messages;
      const size = tagBytes + this.#rest.readInt32BE(tagBytes);
      if (this.#rest.length < size) return messages;
      const bytes = this.#rest.subarray(0, size);
      messages.push({ tag: this.#isTagged ? bytes.toString("latin1", 0, 1) : null, bytes });
      this.#rest = this.#rest.subarray(size);
      this.#isTagged = true;
    }
  }
}

/** Follows one client's messages and says which statements its open transaction has run. */
export class TransactionReader {
  readonly #named = new Map<string, string>();
  #statements: string[] = [];

  /** Takes the client's next message; true when it asks to commit. */
  isCommit(message: WireMessage): boolean {
    const statement = this.#statementOf(message);
    if (statement === null) return false;
    if (/^\s*(begin|start transaction)\b/i.test(statement)) this.#statements = [];
    this.#statements.push(statement);
    return /^\s*commit\b/i.test(statement);
  }

  hasRun(pattern: RegExp): boolean {
    return this.#statements.some((statement) => pattern.test(statement));
  }

  #statementOf({ tag, bytes }: WireMessage): string | null {
    const fields = bytes.subarray(1 + LENGTH_BYTES);
    if (tag === "Q") return stringsOf(fields, 1)[0] ?? "";
    if (tag === "P") {
      const [name = "", text = ""] = stringsOf(fields, 2);
      this.#named.set(name, text);
      return text;
    }
    if (tag === "B") return this.#named.get(stringsOf(fields, 2)[1] ?? "") ?? null;
    return null;
  }
}

/** The first `count` of the zero-terminated strings at the start of `bytes`. */
function stringsOf(bytes: Buffer, count: number): string[] {
  const strings: string[] = [];
  let start = 0;
  while (strings.length < count) {
    const end = bytes.indexOf(0, start);
    if (end < 0) break;
    strings.push(bytes.toString("utf8", start, end));
    start = end + 1;
  }
  return strings;
}
