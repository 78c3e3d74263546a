/** Callbacks that the addon may keep without keeping their object alive. */

/**
 * A function that calls a method as long as its object lives. The addon holds a callback as long as it holds the native
 * side, so one that kept the object would keep it for ever. It is made here and not in a constructor, because closures of
 * one scope share all that any of them uses: one that uses `this` would make every one of them keep the object.
 */
export function weakCallback<T extends object>(
  target: T,
  method: (this: T, message: number) => void,
): (message: number) => void {
  const weak = new WeakRef(target)
  return (message) => {
    const alive = weak.deref()
    if (alive !== undefined) method.call(alive, message)
  }
}
