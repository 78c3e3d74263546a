/** Fails at import. */
throw new TypeError('this module throws')
