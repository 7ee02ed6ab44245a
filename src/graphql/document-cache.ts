/** Remembers parsed documents, in bounds: anybody may send some, and a tree takes a hundred times what its text does. */
import { type BoundedMemory, createBoundedMemory } from '../lib/bounded-memory.ts';

const MAX_DOCUMENTS = 200;
/** Longer ones are parsed anew each time. */
const MAX_LENGTH = 4_000;

/** A cache by the text of the document. */
export function createDocumentCache<V>(): Pick<BoundedMemory<V>, 'get' | 'set'> {
  const memory = createBoundedMemory<V>(MAX_DOCUMENTS);
  return {
    get: memory.get,
    set: (text, value) => {
      if (text.length <= MAX_LENGTH) memory.set(text, value);
    },
  };
}
