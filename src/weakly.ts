/** Functions for those who hold them for good. */

/**
 * A function that calls a method as long as its object lives, and does not keep it alive: for the addon, which holds what it
 * is given as long as it holds the native side. Made here and not in a constructor, because closures of one scope share
 * everything that any of them uses: one that uses `this` would make all of them keep the object.
 */
export function weakly<T extends object>(
  target: T,
  method: (this: T, message: number) => void,
): (message: number) => void {
  const weak = new WeakRef(target)
  return (message) => {
    const alive = weak.deref()
    if (alive !== undefined) method.call(alive, message)
  }
}
