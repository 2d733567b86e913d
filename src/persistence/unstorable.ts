/** The code a server gives a text that holds a character it has no room for. */
const NOT_IN_REPERTOIRE = "22021";

/**
 * Refuses, as the server would refuse a parameter, a text it cannot store. MikroORM writes values into
 * the statement: there a zero byte ends the statement, which looks like a broken connection, and half a
 * surrogate pair would be stored as another character.
 */
export function refuseUnstorable(params: readonly unknown[]): void {
  for (const param of params) {
    if (typeof param !== "string" || (param.isWellFormed() && !param.includes("\0"))) continue;
    const error = new Error("a text holds a character that cannot be stored");
    throw Object.assign(error, { code: NOT_IN_REPERTOIRE });
  }
}
