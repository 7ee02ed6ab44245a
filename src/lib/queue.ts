/**
 * A queue whose entries can leave from any place. A Set would do, and keep garbage alive: V8 makes it a new table every
 * so often, and has each old table point to its successor. The first table that lives long enough to be collected seldom
 * holds all that follow, and what was in them, until then (docs/adr/0052).
 */

export type Queue<T> = {
  /** Puts a value at the end. The function that it answers takes it out again; calling it later or again does nothing. */
  readonly push: (value: T) => () => void;
  /** The value that came first of those that are there. */
  readonly first: () => T | undefined;
  /** Takes it out. */
  readonly shift: () => T | undefined;
  readonly size: () => number;
};

/** Its neighbours are undefined at the ends, and once it has left: so that one that is garbage holds no other. */
type Node<T> = {
  readonly value: T;
  before: Node<T> | undefined;
  after: Node<T> | undefined;
  isIn: boolean;
};

/** An empty one. */
export function createQueue<T>(): Queue<T> {
  let head: Node<T> | undefined;
  let tail: Node<T> | undefined;
  let size = 0;

  const remove = (node: Node<T>): void => {
    if (!node.isIn) return;
    const { before, after } = node;
    if (before === undefined) head = after;
    else before.after = after;
    if (after === undefined) tail = before;
    else after.before = before;
    node.before = undefined;
    node.after = undefined;
    node.isIn = false;
    size -= 1;
  };
  return {
    push: (value) => {
      const node: Node<T> = { value, before: tail, after: undefined, isIn: true };
      if (tail === undefined) head = node;
      else tail.after = node;
      tail = node;
      size += 1;
      return () => remove(node);
    },
    first: () => head?.value,
    shift: () => {
      const first = head;
      if (first !== undefined) remove(first);
      return first?.value;
    },
    size: () => size,
  };
}
